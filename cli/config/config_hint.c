/* The keys that may be meant by a name that is none. */
#include "cli/config/config.h"

#include <stdio.h>
#include <string.h>

#include "cli/options/suggest.h"

enum { MOST = 8 };

struct found {
    const ms_config_key *keys[MOST];
    int n;
};

/* What others call a key, without a section. */
static const struct {
    const char *word, *key;
} words[] = {{"learning_rate", "lr"},
             {"rate", "lr"},
             {"wd", "decay"},
             {"weight_decay", "decay"},
             {"weight_decay", "matrix_decay"},
             {"eps", "epsilon"},
             {"depth", "layers"},
             {"n_layer", "layers"},
             {"n_layers", "layers"},
             {"num_layers", "layers"},
             {"num_hidden_layers", "layers"},
             {"d_model", "width"},
             {"dim", "width"},
             {"n_embd", "width"},
             {"hidden_size", "width"},
             {"n_head", "heads"},
             {"n_heads", "heads"},
             {"num_heads", "heads"},
             {"num_attention_heads", "heads"},
             {"n_kv_heads", "kv_heads"},
             {"num_key_value_heads", "kv_heads"},
             {"head_dim", "head_size"},
             {"d_ff", "feed_forward"},
             {"intermediate_size", "feed_forward"},
             {"vocab", "vocabulary"},
             {"vocab_size", "vocabulary"},
             {"seq_len", "sequence_length"},
             {"max_seq_len", "sequence_length"},
             {"block_size", "sequence_length"},
             {"context_length", "sequence_length"},
             {"rope_theta", "rope_base"},
             {"batch", "batch_sequences"},
             {"batch_size", "batch_sequences"},
             {"grad_accum", "accumulation"},
             {"gradient_accumulation_steps", "accumulation"},
             {"grad_clip", "gradient_clip"},
             {"max_grad_norm", "gradient_clip"},
             {"warmup", "warmup_steps"},
             {"max_steps", "steps"},
             {"num_steps", "steps"},
             {"n_steps", "steps"},
             {"iterations", "steps"},
             {"max_iters", "steps"},
             {"dtype", "storage"},
             {"precision", "storage"},
             {"interval", "every"},
             {"cadence", "every"}};

static void add(struct found *found, const ms_config_key *key) {
    for (int i = 0; i < found->n; i++)
        if (found->keys[i] == key) return;
    if (found->n < MOST) found->keys[found->n++] = key;
}

/* All keys of the name, or the one of the section where that has it; but for `name` (of an optimizer, of a schedule),
   which says nothing of what was meant. */
static void add_named(struct found *found, const char *section, const char *name) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    if (strcmp(name, "name") == 0) return;
    for (int i = 0; i < n; i++) {
        if (!ms_config_same_name(keys[i].name, name) || !ms_config_same_name(keys[i].section, section)) continue;
        found->n = 0;
        add(found, &keys[i]);
        return;
    }
    for (int i = 0; i < n; i++)
        if (ms_config_same_name(keys[i].name, name)) add(found, &keys[i]);
}

static void add_words(struct found *found, const char *section, const char *name) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!ms_config_same_name(words[i].word, name)) continue;
        add_named(found, section, words[i].key);
        if (found->n == 1 && ms_config_same_name(found->keys[0]->section, section)) return;
    }
}

/* The nearest spelling of the whole name; with a section that exists, of a key of that section. */
static void add_nearest(struct found *found, const char *section, const char *name, const char *full_name) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    bool inside = ms_config_section_doc(section)[0] != '\0';
    ms_suggestion suggestion;
    ms_suggestion_init(inside ? name : full_name, &suggestion);
    for (int i = 0; i < n; i++)
        if (!inside || strcmp(keys[i].section, section) == 0)
            ms_suggestion_offer(&suggestion, inside ? keys[i].name : keys[i].full_name);
    const char *best = ms_suggestion_best(&suggestion);
    for (int i = 0; best && i < n; i++)
        if (best == (inside ? keys[i].name : keys[i].full_name)) add(found, &keys[i]);
}

/* The nearest spelling of a key's name in any section. */
static void add_nearest_name(struct found *found, const char *name) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (int i = 0; i < n; i++) ms_suggestion_offer(&suggestion, keys[i].name);
    const char *best = ms_suggestion_best(&suggestion);
    if (best) add_named(found, "", best);
}

/* Keys of the same name in sections that exist: one whose section is spelt nearly so is meant alone. */
static void choose_by_section(struct found *found, const char *section) {
    ms_suggestion suggestion;
    ms_suggestion_init(section, &suggestion);
    for (int i = 0; i < found->n; i++) ms_suggestion_offer(&suggestion, found->keys[i]->section);
    const char *best = *section ? ms_suggestion_best(&suggestion) : NULL;
    for (int i = 0; best && i < found->n; i++) {
        if (found->keys[i]->section != best) continue;
        found->keys[0] = found->keys[i];
        found->n = 1;
    }
}

bool ms_config_hint(const char *full_name, const char *before, char out[MS_CONFIG_HINT_SIZE]) {
    struct found found = {.n = 0};
    char section[64] = "";
    const char *dot = strrchr(full_name, '.'), *name = dot ? dot + 1 : full_name;
    if (dot) snprintf(section, sizeof section, "%.*s", (int)(dot - full_name), full_name);
    add_named(&found, section, name);
    choose_by_section(&found, section);
    if (found.n == 0) add_words(&found, section, name);
    if (found.n == 0) add_nearest(&found, section, name, full_name);
    if (found.n == 0) add_nearest_name(&found, name);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < found.n && used < MS_CONFIG_HINT_SIZE; i++) {
        const char *between = i == 0 ? "" : i + 1 == found.n ? " or " : ", ";
        used += (size_t)snprintf(out + used, MS_CONFIG_HINT_SIZE - used, "%s%s%s", between, before,
                                 found.keys[i]->full_name);
    }
    return found.n > 0;
}
