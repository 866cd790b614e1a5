/*
 * Packs blocks into chunks (chunk.h says what is promised).
 *
 * Blocks come in order from the reader. The packer holds one open chunk and, behind it, headings that still wait for
 * what they head. A block that fits whole is laid into the open chunk up to the target, or begins a new one; one above
 * the maximum is cut into units (items, rows, lines, sentences), these into lines, those at words. A heading closes the
 * open chunk, unless that is so small that it would say nothing alone: then it takes in the next section as well, under
 * the headings that both share. All is linear: each byte is read by the block reader once, by the estimate a few times.
 */
#include "text/chunk.h"

#include <string.h>

#include <aiorch/knowledge.h>

#include "text/blocks.h"
#include "text/sentence.h"
#include "text/tokens.h"

enum {
  PATH_MAX_BYTES = 600,
  TINY_DIVISOR = 4, /* a chunk below a quarter of the target says nothing alone */
  JOIN_TOKENS = 1,  /* what line feeds between two pieces cost, but for long runs of blank lines */
  GAP_MAX = 64      /* white space up to here belongs to the chunk before it, so that neighbours join without a seam */
};

typedef struct piece {
  size_t start, end, tokens;
} piece;

typedef struct packer {
  aio__arena *arena;
  aio__str text;
  size_t target, max, tiny;
  aio__chunk *chunks; /* from the arena's allocator, copied into the arena at the end */
  size_t count, cap;
  aio__str stack[AIO__HEADING_LEVELS];
  int levels[AIO__HEADING_LEVELS];
  size_t depth;        /* headings in force */
  size_t shared;       /* of them, those in force since the open chunk began */
  piece open, pending; /* tokens 0: none */
  piece last;          /* of the open chunk, and what the chunk was without it (tokens 0: it is all there is) */
  size_t head_end, head_tokens;
  aio__str path, last_path;              /* of the open chunk; of the last one, to be used again when it is the same */
  size_t path_ends[AIO__HEADING_LEVELS]; /* where each of its headings ends in `path` */
  size_t path_depth;
  bool same_section; /* no heading lies between the open chunk and the last closed one */
} packer;

static size_t estimate(const packer *p, size_t start, size_t end) {
  size_t tokens = aio__tokens_estimate(aio__str_n(p->text.p + start, end - start));
  return tokens > 0 ? tokens : 1;
}

/* What the white space between two pieces costs. */
static size_t seam(const packer *p, size_t from, size_t to) {
  size_t tokens = to > from ? aio__tokens_estimate(aio__str_n(p->text.p + from, to - from)) : 0;
  return tokens > JOIN_TOKENS ? tokens : JOIN_TOKENS;
}

/* ---- the path of headings --------------------------------------------------------------------------------------- */

static aiorch_status open_path(packer *p) {
  char buf[PATH_MAX_BYTES];
  size_t n = 0;
  p->path_depth = p->depth;
  for (size_t i = 0; i < p->depth; i++) {
    aio__str h = p->stack[i];
    size_t room = PATH_MAX_BYTES - n, sep = n > 0 ? 3 : 0;
    if (h.n > 0 && room > sep) {
      memcpy(buf + n, " > ", sep);
      n += sep;
      size_t take = aio__utf8_cut(h, room - sep);
      memcpy(buf + n, h.p, take);
      n += take;
    }
    p->path_ends[i] = n;
  }
  aio__str path = {buf, n};
  p->shared = p->depth;
  p->path = p->last_path;
  if (n == 0) p->path = aio__str_n("", 0);
  if (n == 0 || aio__str_eq(p->last_path, path)) return AIORCH_OK;
  p->path = aio__arena_str(p->arena, path);
  p->last_path = p->path;
  return p->path.p ? AIORCH_OK : AIORCH_E_NOMEM;
}

/* After the open chunk took in another section: its path is what both share. */
static void narrow_path(packer *p) {
  if (p->shared >= p->path_depth) return;
  p->path_depth = p->shared;
  p->path.n = p->shared > 0 ? p->path_ends[p->shared - 1] : 0;
}

static void push_heading(packer *p, const aio__block *block) {
  while (p->depth > 0 && p->levels[p->depth - 1] >= block->level) p->depth--;
  if (p->shared > p->depth) p->shared = p->depth;
  p->levels[p->depth] = block->level;
  p->stack[p->depth++] = block->title;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static aiorch_status grow(packer *p) {
  if (p->count < p->cap) return AIORCH_OK;
  size_t cap = p->cap ? p->cap * 2 : 64;
  if (cap > SIZE_MAX / sizeof(aio__chunk)) return AIORCH_E_NOMEM;
  aio__chunk *chunks = aio__realloc(p->arena->al, p->chunks, cap * sizeof(aio__chunk));
  if (!chunks) return AIORCH_E_NOMEM;
  p->chunks = chunks;
  p->cap = cap;
  return AIORCH_OK;
}

/* Closes the open chunk. A small rest of a section goes to the chunk before it when there is room. */
static aiorch_status close_open(packer *p) {
  piece open = p->open;
  if (open.tokens == 0) return AIORCH_OK;
  p->open.tokens = 0;
  if (p->same_section && p->count > 0 && open.tokens <= p->tiny) {
    aio__chunk *last = &p->chunks[p->count - 1];
    size_t between = seam(p, (size_t)last->end, open.start);
    if (last->tokens + open.tokens + between <= p->max) {
      last->end = open.end;
      last->tokens += (uint32_t)(open.tokens + between);
      return AIORCH_OK;
    }
  }
  if (grow(p) != AIORCH_OK) return AIORCH_E_NOMEM;
  p->chunks[p->count] = (aio__chunk){open.start, open.end, p->path, (uint32_t)open.tokens, (uint32_t)p->count};
  p->count++;
  return AIORCH_OK;
}

static aiorch_status begin(packer *p, piece first, bool same_section) {
  if (close_open(p) != AIORCH_OK) return AIORCH_E_NOMEM;
  p->open = p->last = first;
  p->head_tokens = 0;
  p->same_section = same_section;
  return open_path(p);
}

static void join(packer *p, piece more) {
  p->head_end = p->open.end;
  p->head_tokens = p->open.tokens;
  p->last = more;
  p->open.tokens += more.tokens + seam(p, p->open.end, more.start);
  p->open.end = more.end;
}

static aiorch_status flush_pending(packer *p) {
  if (p->pending.tokens == 0) return AIORCH_OK;
  piece pending = p->pending;
  p->pending.tokens = 0;
  return begin(p, pending, false);
}

/* "For example:" belongs to what follows it, so it opens the new chunk as well. */
static piece with_lead_in(packer *p, piece next) {
  piece last = p->last;
  bool leads = p->open.tokens > 0 && p->head_tokens > 0 && p->text.p[last.end - 1] == ':';
  size_t tokens = last.tokens + next.tokens + seam(p, last.end, next.start);
  if (!leads || last.tokens > p->target / 2 || tokens > p->max) return next;
  p->open.end = p->head_end;
  p->open.tokens = p->head_tokens;
  return (piece){last.start, next.end, tokens};
}

/* Lays a piece of at most `max` tokens down. */
static aiorch_status add(packer *p, piece next) {
  piece head = p->pending;
  if (head.tokens == 0) {
    if (p->open.tokens > 0 && p->open.tokens + next.tokens + seam(p, p->open.end, next.start) <= p->target) {
      join(p, next);
      return AIORCH_OK;
    }
    return begin(p, with_lead_in(p, next), true);
  }
  size_t between = seam(p, head.end, next.start);
  if (head.tokens + next.tokens + between > p->max) {
    if (flush_pending(p) != AIORCH_OK) return AIORCH_E_NOMEM;
    return begin(p, next, true);
  }
  p->pending.tokens = 0;
  head.end = next.end;
  head.tokens += next.tokens + between;
  bool joins = p->open.tokens > 0 && p->open.tokens <= p->tiny;
  if (joins && p->open.tokens + head.tokens + seam(p, p->open.end, head.start) <= p->target) {
    join(p, head);
    narrow_path(p);
    return AIORCH_OK;
  }
  return begin(p, head, false);
}

/* ---- cutting what is too long ----------------------------------------------------------------------------------- */

/* What the next piece may have: less while headings wait for it. */
static size_t room(const packer *p) {
  size_t head = p->pending.tokens > 0 ? p->pending.tokens + JOIN_TOKENS : 0;
  return p->max > head + p->max / 4 ? p->max - head : p->max;
}

static size_t trim_end(const packer *p, size_t start, size_t end) {
  while (end > start && (p->text.p[end - 1] == ' ' || (p->text.p[end - 1] >= '\t' && p->text.p[end - 1] <= '\r')))
    end--;
  return end;
}

static aiorch_status add_words(packer *p, size_t start, size_t end) {
  while (start < end) {
    aio__str rest = {p->text.p + start, end - start};
    size_t take = aio__tokens_cut(rest, room(p));
    if (take == 0) take = rest.n > 0 ? aio__utf8_cut(rest, rest.n < 4 ? rest.n : 4) : 0;
    if (take == 0) take = 1;
    size_t stop = trim_end(p, start, start + take);
    if (stop > start) {
      piece next = {start, stop, estimate(p, start, stop)};
      aiorch_status st = p->pending.tokens > 0 ? add(p, next) : begin(p, next, true);
      if (st != AIORCH_OK) return st;
    }
    start += take;
  }
  return AIORCH_OK;
}

static aiorch_status add_unit(packer *p, size_t start, size_t end, bool *fits) {
  end = trim_end(p, start, end);
  if (end == start) return AIORCH_OK;
  size_t tokens = estimate(p, start, end);
  *fits = tokens <= room(p);
  return *fits ? add(p, (piece){start, end, tokens}) : AIORCH_OK;
}

static aiorch_status add_lines(packer *p, size_t start, size_t end) {
  size_t fence = 0;
  aio__str whole = {p->text.p, end};
  for (size_t at = start, next; at < end; at = next) {
    bool fits = true;
    next = aio__block_unit_end(AIO__BLOCK_CODE, whole, at, &fence);
    aiorch_status st = add_unit(p, at, next, &fits);
    if (st == AIORCH_OK && !fits) st = add_words(p, at, next);
    if (st != AIORCH_OK) return st;
  }
  return AIORCH_OK;
}

static aiorch_status add_sentences(packer *p, size_t start, size_t end) {
  aio__str whole = {p->text.p, end};
  for (size_t at = start, next; at < end; at = next) {
    bool fits = true;
    next = aio__sentence_end(whole, at);
    aiorch_status st = add_unit(p, at, next, &fits);
    if (st == AIORCH_OK && !fits) st = add_lines(p, at, next);
    if (st != AIORCH_OK) return st;
  }
  return AIORCH_OK;
}

static aiorch_status add_items(packer *p, const aio__block *block) {
  size_t fence = 0;
  aio__str whole = {p->text.p, block->end};
  for (size_t at = block->start, next; at < block->end; at = next) {
    bool fits = true, code = fence > 0;
    next = aio__block_unit_end(AIO__BLOCK_LIST, whole, at, &fence);
    aiorch_status st = add_unit(p, at, next, &fits);
    if (st == AIORCH_OK && !fits) st = code ? add_lines(p, at, next) : add_sentences(p, at, next);
    if (st != AIORCH_OK) return st;
  }
  return AIORCH_OK;
}

static aiorch_status add_heading(packer *p, const aio__block *block) {
  size_t tokens = estimate(p, block->start, block->end);
  size_t between = p->pending.tokens > 0 ? seam(p, p->pending.end, block->start) : 0;
  bool crowded = p->pending.tokens + tokens + between > p->max / 2;
  if (crowded && flush_pending(p) != AIORCH_OK) return AIORCH_E_NOMEM;
  push_heading(p, block);
  if (tokens > p->max / 2) return add_sentences(p, block->start, block->end);
  if (p->pending.tokens == 0) p->pending.start = block->start;
  p->pending.tokens += tokens + (p->pending.tokens > 0 ? between : 0);
  p->pending.end = block->end;
  return AIORCH_OK;
}

static aiorch_status add_block(packer *p, const aio__block *block) {
  if (block->kind == AIO__BLOCK_HEADING) return add_heading(p, block);
  bool fits = true;
  aiorch_status st = add_unit(p, block->start, block->end, &fits);
  if (st != AIORCH_OK || fits) return st;
  switch (block->kind) {
  case AIO__BLOCK_LIST:
    return add_items(p, block);
  case AIO__BLOCK_PARAGRAPH:
    return add_sentences(p, block->start, block->end);
  default:
    return add_lines(p, block->start, block->end);
  }
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static aiorch_status pack(packer *p, int32_t format) {
  aio__block_reader reader = {p->text, format, 0};
  aio__block block;
  while (aio__block_next(&reader, &block)) {
    aiorch_status st = add_block(p, &block);
    if (st != AIORCH_OK) return st;
  }
  if (flush_pending(p) != AIORCH_OK) return AIORCH_E_NOMEM;
  return close_open(p);
}

/* The sums so far count each piece rounded up. */
static void finish(packer *p) {
  for (size_t i = 0; i < p->count; i++) {
    aio__chunk *chunk = &p->chunks[i];
    chunk->tokens = (uint32_t)estimate(p, chunk->start, chunk->end);
  }
  for (size_t i = 0; i + 1 < p->count; i++) {
    if (p->chunks[i + 1].start - p->chunks[i].end <= GAP_MAX) p->chunks[i].end = p->chunks[i + 1].start;
  }
}

aiorch_status aio__chunk_text(aio__arena *arena, aio__str text, const aio__chunk_options *options, aio__chunk **out,
                              size_t *count) {
  packer p = {.arena = arena, .text = text, .max = options->max_tokens > 0 ? options->max_tokens : 1};
  p.target = options->target_tokens < p.max ? options->target_tokens : p.max;
  p.tiny = p.target / TINY_DIVISOR;
  p.path = p.last_path = aio__str_n("", 0);
  aiorch_status st = pack(&p, options->format);
  aio__chunk *chunks = NULL;
  if (st == AIORCH_OK && p.count > 0) {
    finish(&p);
    chunks = aio__arena_alloc(arena, p.count * sizeof(aio__chunk));
    if (chunks)
      memcpy(chunks, p.chunks, p.count * sizeof(aio__chunk));
    else
      st = AIORCH_E_NOMEM;
  }
  aio__free(arena->al, p.chunks);
  if (st != AIORCH_OK) return st;
  *out = chunks;
  *count = p.count;
  return AIORCH_OK;
}

aio__str aio__chunk_first_heading(aio__str text, int32_t format) {
  aio__block_reader reader = {text, format, 0};
  aio__block block;
  while (aio__block_next(&reader, &block)) {
    if (block.kind == AIO__BLOCK_HEADING && block.title.n > 0) return block.title;
  }
  return aio__str_n("", 0);
}
