/*
 * Look-alikes: letters that the eye takes for Latin ones, a subset of the confusables of Unicode Technical Standard 39
 * chosen for what can stand inside a Latin word. NFKC has dealt with full-width, mathematical and circled letters.
 */
#include "text/normalize_parts.h"

typedef struct lookalike {
  uint16_t code_point;
  char ascii;
  bool weak; /* the same picture: holds for a whole word of such letters */
} lookalike;

/* Other scripts; sorted. Capitals have rows of their own, since a Greek capital eta is an H and a small one an n. */
static const lookalike foreign[] = {
    {0x037F, 'j', 0}, {0x0391, 'a', 0}, {0x0392, 'b', 0}, {0x0395, 'e', 0}, {0x0396, 'z', 0}, {0x0397, 'h', 0},
    {0x0399, 'i', 0}, {0x039A, 'k', 0}, {0x039B, 'a', 0}, {0x039C, 'm', 0}, {0x039D, 'n', 0}, {0x039F, 'o', 0},
    {0x03A1, 'p', 0}, {0x03A3, 'e', 0}, {0x03A4, 't', 0}, {0x03A5, 'y', 0}, {0x03A7, 'x', 0}, {0x03A9, 'o', 0},
    {0x03B1, 'a', 1}, {0x03B2, 'b', 0}, {0x03B3, 'y', 1}, {0x03B4, 'd', 0}, {0x03B5, 'e', 0}, {0x03B6, 'z', 0},
    {0x03B7, 'n', 1}, {0x03B8, 'o', 0}, {0x03B9, 'i', 1}, {0x03BA, 'k', 1}, {0x03BB, 'a', 0}, {0x03BC, 'u', 0},
    {0x03BD, 'v', 1}, {0x03BE, 'e', 0}, {0x03BF, 'o', 1}, {0x03C0, 'n', 0}, {0x03C1, 'p', 1}, {0x03C2, 's', 0},
    {0x03C3, 'o', 0}, {0x03C4, 't', 0}, {0x03C5, 'u', 1}, {0x03C6, 'o', 0}, {0x03C7, 'x', 1}, {0x03C9, 'w', 1},
    {0x03F1, 'p', 0}, {0x03F2, 'c', 1}, {0x03F3, 'j', 1}, {0x03F5, 'e', 0}, {0x03F9, 'c', 0}, {0x0401, 'e', 0},
    {0x0405, 's', 0}, {0x0406, 'i', 0}, {0x0407, 'i', 0}, {0x0408, 'j', 0}, {0x0410, 'a', 0}, {0x0412, 'b', 0},
    {0x0413, 'r', 0}, {0x0415, 'e', 0}, {0x0417, 'z', 0}, {0x0418, 'n', 0}, {0x041A, 'k', 0}, {0x041C, 'm', 0},
    {0x041D, 'h', 0}, {0x041E, 'o', 0}, {0x041F, 'n', 0}, {0x0420, 'p', 0}, {0x0421, 'c', 0}, {0x0422, 't', 0},
    {0x0423, 'y', 0}, {0x0425, 'x', 0}, {0x042C, 'b', 0}, {0x042F, 'r', 0}, {0x0430, 'a', 1}, {0x0431, 'b', 0},
    {0x0432, 'b', 0}, {0x0433, 'r', 0}, {0x0434, 'd', 0}, {0x0435, 'e', 1}, {0x0437, 'z', 0}, {0x0438, 'u', 0},
    {0x043A, 'k', 0}, {0x043B, 'n', 0}, {0x043C, 'm', 0}, {0x043D, 'h', 0}, {0x043E, 'o', 1}, {0x043F, 'n', 0},
    {0x0440, 'p', 1}, {0x0441, 'c', 1}, {0x0442, 't', 0}, {0x0443, 'y', 1}, {0x0445, 'x', 1}, {0x0448, 'w', 0},
    {0x044C, 'b', 0}, {0x044D, 'e', 0}, {0x044E, 'o', 0}, {0x044F, 'r', 0}, {0x0452, 'h', 0}, {0x0454, 'e', 0},
    {0x0455, 's', 1}, {0x0456, 'i', 1}, {0x0458, 'j', 1}, {0x0459, 'l', 0}, {0x045A, 'h', 0}, {0x045B, 'h', 0},
    {0x045F, 'u', 0}, {0x0461, 'w', 1}, {0x0473, 'o', 1}, {0x0474, 'v', 0}, {0x0475, 'v', 1}, {0x0491, 'r', 0},
    {0x0493, 'f', 0}, {0x049B, 'k', 0}, {0x04A1, 'k', 0}, {0x04A3, 'h', 0}, {0x04AE, 'y', 0}, {0x04AF, 'y', 0},
    {0x04B1, 'y', 0}, {0x04B3, 'x', 0}, {0x04BA, 'h', 0}, {0x04BB, 'h', 1}, {0x04BD, 'e', 1}, {0x04C0, 'l', 0},
    {0x04CF, 'l', 1}, {0x0500, 'd', 0}, {0x0501, 'd', 1}, {0x050C, 'g', 0}, {0x050D, 'g', 1}, {0x051A, 'q', 0},
    {0x051B, 'q', 1}, {0x051C, 'w', 0}, {0x051D, 'w', 1}, {0x0531, 'u', 0}, {0x053C, 'l', 0}, {0x0540, 'h', 0},
    {0x054D, 'u', 0}, {0x054F, 's', 0}, {0x0555, 'o', 0}, {0x0562, 'p', 0}, {0x0565, 't', 0}, {0x0566, 'q', 1},
    {0x056F, 'k', 0}, {0x0570, 'h', 1}, {0x0573, 's', 0}, {0x0574, 'u', 0}, {0x0578, 'n', 1}, {0x057A, 'w', 0},
    {0x057D, 'u', 1}, {0x057E, 'u', 0}, {0x0580, 'n', 0}, {0x0581, 'g', 1}, {0x0585, 'o', 1}, {0x10EE, 'b', 0},
    {0x10FD, 'r', 0}, {0x10FF, 'o', 0}, {0x13A0, 'd', 0}, {0x13A1, 'r', 0}, {0x13A2, 't', 0}, {0x13A5, 'i', 0},
    {0x13AA, 'a', 0}, {0x13AB, 'j', 0}, {0x13AC, 'e', 0}, {0x13B0, 'f', 0}, {0x13B3, 'w', 0}, {0x13B7, 'm', 0},
    {0x13B9, 'm', 0}, {0x13BB, 'h', 0}, {0x13BD, 'y', 0}, {0x13C0, 'g', 0}, {0x13C2, 'h', 0}, {0x13C3, 'z', 0},
    {0x13CE, 's', 0}, {0x13CF, 'b', 0}, {0x13D2, 'r', 0}, {0x13D9, 'v', 0}, {0x13DA, 's', 0}, {0x13DE, 'l', 0},
    {0x13DF, 'c', 0}, {0x13E2, 'p', 0}, {0x13E6, 'k', 0}, {0x13E7, 'd', 0}, {0x13F3, 'g', 0}, {0x13F4, 'b', 0},
    {0x2C80, 'a', 0}, {0x2C81, 'a', 0}, {0x2C82, 'b', 0}, {0x2C88, 'e', 0}, {0x2C8E, 'h', 0}, {0x2C92, 'i', 0},
    {0x2C93, 'i', 0}, {0x2C94, 'k', 0}, {0x2C98, 'm', 0}, {0x2C9A, 'n', 0}, {0x2C9B, 'n', 0}, {0x2C9E, 'o', 0},
    {0x2C9F, 'o', 0}, {0x2CA2, 'p', 0}, {0x2CA3, 'p', 0}, {0x2CA4, 'c', 0}, {0x2CA5, 'c', 0}, {0x2CA6, 't', 0},
    {0x2CA8, 'y', 0}, {0x2CA9, 'y', 0}, {0x2CAC, 'x', 0}, {0x2CAD, 'x', 0}, {0xA4D0, 'b', 0}, {0xA4D1, 'p', 0},
    {0xA4D3, 'd', 0}, {0xA4D4, 't', 0}, {0xA4D6, 'g', 0}, {0xA4D7, 'k', 0}, {0xA4D9, 'j', 0}, {0xA4DA, 'c', 0},
    {0xA4DC, 'z', 0}, {0xA4DD, 'f', 0}, {0xA4DF, 'm', 0}, {0xA4E0, 'n', 0}, {0xA4E1, 'l', 0}, {0xA4E2, 's', 0},
    {0xA4E3, 'r', 0}, {0xA4E6, 'v', 0}, {0xA4E7, 'h', 0}, {0xA4EA, 'w', 0}, {0xA4EB, 'x', 0}, {0xA4EC, 'y', 0},
    {0xA4EE, 'a', 0}, {0xA4F0, 'e', 0}, {0xA4F2, 'i', 0}, {0xA4F3, 'o', 0}, {0xA4F4, 'u', 0},
};

/* Latin letters without a decomposition; sorted. */
static const lookalike latin[] = {
    {0x00F0, 'd', 1}, {0x00F8, 'o', 1}, {0x0111, 'd', 1}, {0x0127, 'h', 1}, {0x0131, 'i', 1}, {0x0142, 'l', 1},
    {0x014B, 'n', 1}, {0x0167, 't', 1}, {0x0180, 'b', 1}, {0x0188, 'c', 1}, {0x018C, 'd', 1}, {0x0192, 'f', 1},
    {0x0199, 'k', 1}, {0x019A, 'l', 1}, {0x019E, 'n', 1}, {0x01A5, 'p', 1}, {0x01A8, 's', 1}, {0x01AB, 't', 1},
    {0x01AD, 't', 1}, {0x01B4, 'y', 1}, {0x01B6, 'z', 1}, {0x01DD, 'e', 1}, {0x0225, 'z', 1}, {0x0236, 't', 1},
    {0x0237, 'j', 1}, {0x023C, 'c', 1}, {0x023F, 's', 1}, {0x0240, 'z', 1}, {0x0247, 'e', 1}, {0x024B, 'q', 1},
    {0x024D, 'r', 1}, {0x024F, 'y', 1}, {0x0250, 'a', 1}, {0x0251, 'a', 1}, {0x0252, 'a', 1}, {0x0253, 'b', 1},
    {0x0254, 'o', 1}, {0x0256, 'd', 1}, {0x0257, 'd', 1}, {0x0258, 'e', 1}, {0x0259, 'e', 1}, {0x025B, 'e', 1},
    {0x025C, 'e', 1}, {0x025E, 'e', 1}, {0x025F, 'j', 1}, {0x0260, 'g', 1}, {0x0261, 'g', 1}, {0x0262, 'g', 1},
    {0x0263, 'y', 1}, {0x0265, 'h', 1}, {0x0266, 'h', 1}, {0x0268, 'i', 1}, {0x0269, 'i', 1}, {0x026A, 'i', 1},
    {0x026B, 'l', 1}, {0x026C, 'l', 1}, {0x026D, 'l', 1}, {0x026F, 'm', 1}, {0x0270, 'm', 1}, {0x0271, 'm', 1},
    {0x0272, 'n', 1}, {0x0273, 'n', 1}, {0x0274, 'n', 1}, {0x0275, 'o', 1}, {0x0279, 'r', 1}, {0x027C, 'r', 1},
    {0x027D, 'r', 1}, {0x027E, 'r', 1}, {0x0280, 'r', 1}, {0x0281, 'r', 1}, {0x0282, 's', 1}, {0x0287, 't', 1},
    {0x0288, 't', 1}, {0x0289, 'u', 1}, {0x028A, 'u', 1}, {0x028B, 'v', 1}, {0x028C, 'v', 1}, {0x028D, 'w', 1},
    {0x028E, 'y', 1}, {0x028F, 'y', 1}, {0x0290, 'z', 1}, {0x0291, 'z', 1}, {0x0299, 'b', 1}, {0x029C, 'h', 1},
    {0x029D, 'j', 1}, {0x029F, 'l', 1}, {0x02A0, 'q', 1}, {0x1D00, 'a', 1}, {0x1D04, 'c', 1}, {0x1D05, 'd', 1},
    {0x1D07, 'e', 1}, {0x1D0A, 'j', 1}, {0x1D0B, 'k', 1}, {0x1D0D, 'm', 1}, {0x1D0E, 'n', 1}, {0x1D0F, 'o', 1},
    {0x1D18, 'p', 1}, {0x1D19, 'r', 1}, {0x1D1B, 't', 1}, {0x1D1C, 'u', 1}, {0x1D20, 'v', 1}, {0x1D21, 'w', 1},
    {0x1D22, 'z', 1}, {0x1D6C, 'b', 1}, {0x1D6D, 'd', 1}, {0x1D6E, 'f', 1}, {0x1D6F, 'm', 1}, {0x1D70, 'n', 1},
    {0x1D71, 'p', 1}, {0x1D72, 'r', 1}, {0x1D74, 's', 1}, {0x1D75, 't', 1}, {0x1D76, 'z', 1}, {0x1D83, 'g', 1},
    {0x1D84, 'k', 1}, {0x1D85, 'l', 1}, {0x1D86, 'm', 1}, {0x1D87, 'n', 1}, {0x1D88, 'p', 1}, {0x1D89, 'r', 1},
    {0x1D8A, 's', 1}, {0x1D8C, 'v', 1}, {0x1D8D, 'x', 1}, {0x1D8E, 'z', 1}, {0x2C61, 'l', 1}, {0x2C65, 'a', 1},
    {0x2C66, 't', 1}, {0x2C73, 'w', 1}, {0xA730, 'f', 1}, {0xA731, 's', 1}, {0xA741, 'k', 1}, {0xA757, 'q', 1},
    {0xA781, 'l', 1}, {0xA793, 'c', 1}, {0xA7AF, 'q', 1}, {0xAB30, 'a', 1}, {0xAB53, 'x', 1}, {0xAB70, 'd', 1},
};

static const lookalike *find(const lookalike *table, size_t n, uint32_t code_point) {
  size_t low = 0;
  while (low < n) {
    size_t middle = (low + n) / 2;
    if (table[middle].code_point == code_point) return &table[middle];
    if (table[middle].code_point < code_point) {
      low = middle + 1;
    } else {
      n = middle;
    }
  }
  return NULL;
}

char aio__confusable(uint32_t code_point, bool *weak) {
  const lookalike *found = find(foreign, sizeof foreign / sizeof foreign[0], code_point);
  *weak = found != NULL && found->weak;
  return (char)(found != NULL ? found->ascii : '\0');
}

char aio__latin_lookalike(uint32_t code_point) {
  /* letters in black circles, in black squares, and those that make flags */
  if (code_point >= 0x1F150 && code_point <= 0x1F169) return (char)('a' + (code_point - 0x1F150));
  if (code_point >= 0x1F170 && code_point <= 0x1F189) return (char)('a' + (code_point - 0x1F170));
  if (code_point >= 0x1F1E6 && code_point <= 0x1F1FF) return (char)('a' + (code_point - 0x1F1E6));
  const lookalike *found = find(latin, sizeof latin / sizeof latin[0], code_point);
  return (char)(found != NULL ? found->ascii : '\0');
}
