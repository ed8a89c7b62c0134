#include "cli/study/study_arms.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FACTORS = 8 };

/* Arms, or the levels of a factor. */
struct list {
    ms_study_arm *items; /* [MS_STUDY_ARMS] */
    int n;
};

static ms_status read_set(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    (void)name;
    return ms_study_read_settings(reader, value, target);
}

static ms_status read_seeds(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    (void)name;
    return ms_study_read_seeds(reader, value, target);
}

static ms_status read_preset(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    ms_config trial;
    ms_study_settings *settings = target;
    MS_TRY(ms_study_read_text(reader, value, name, settings->preset, sizeof settings->preset));
    ms_config_defaults(&trial);
    if (ms_config_load_preset(&trial, settings->preset) == MS_OK) return MS_OK;
    return ms_status_note(MS_INVALID, "%s:%zu", reader->name, value->start_mark.line + 1);
}

static const ms_study_field arm_fields[] = {{"set", read_set, offsetof(ms_study_arm, settings)},
                                            {"preset", read_preset, offsetof(ms_study_arm, settings)},
                                            {"tuned", ms_study_field_name, offsetof(ms_study_arm, tuned)},
                                            {"seeds", read_seeds, offsetof(ms_study_arm, seeds)},
                                            {"control", ms_study_field_bool, offsetof(ms_study_arm, control)},
                                            {NULL, NULL, 0}};

static ms_status new_arm(ms_study_reader *reader, const yaml_node_t *name, const char *what, struct list *list) {
    if (list->n == MS_STUDY_ARMS) return MS_STUDY_FAIL(reader, name, "more than %d of them", MS_STUDY_ARMS);
    return ms_study_read_name(reader, name, what, list->items[list->n++].name);
}

static ms_status read_arm(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target) {
    struct list *list = target;
    MS_TRY(new_arm(reader, key, "an arm", list));
    bool is_empty = value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0;
    return is_empty ? MS_OK : ms_study_read_fields(reader, value, "an arm", arm_fields, &list->items[list->n - 1]);
}

/* muon.lr: [0.01, 0.02], or preset: [micro, nano]. */
static ms_status read_values(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *values,
                             struct list *list) {
    for (size_t i = 0; i < ms_study_n_items(values); i++) {
        const yaml_node_t *value = ms_study_item(reader, values, i);
        MS_TRY(new_arm(reader, value, "a level", list));
        ms_study_settings *settings = &list->items[list->n - 1].settings;
        if (strcmp(ms_study_scalar(key), "preset") == 0)
            MS_TRY(read_preset(reader, "preset", value, settings));
        else
            MS_TRY(ms_study_read_setting(reader, ms_study_scalar(key), value, settings));
    }
    return MS_OK;
}

/* --- products --- */

static ms_status add_settings(ms_study_settings *to, const ms_study_settings *from, const char *what) {
    if (*to->preset && *from->preset) return MS_FAIL(MS_INVALID, "%s: the preset is set twice", what);
    if (*from->preset) memcpy(to->preset, from->preset, sizeof to->preset);
    for (int i = 0; i < from->n; i++) {
        for (int k = 0; k < to->n; k++)
            if (to->items[k].key == from->items[i].key)
                return MS_FAIL(MS_INVALID, "%s: %s is set twice", what, to->items[k].key->full_name);
        if (to->n == MS_STUDY_SETTINGS) return MS_FAIL(MS_INVALID, "%s: more than %d keys", what, MS_STUDY_SETTINGS);
        to->items[to->n++] = from->items[i];
    }
    return MS_OK;
}

/* An arm becomes one of this level. */
static ms_status add_level(ms_study_arm *arm, const ms_study_arm *level) {
    char name[2 * MS_STUDY_NAME_SIZE];
    snprintf(name, sizeof name, "%s%s%s", arm->name, *arm->name ? "_" : "", level->name);
    if (strlen(name) >= MS_STUDY_NAME_SIZE)
        return MS_FAIL(MS_INVALID, "arm %s: the name is longer than %d bytes", name, MS_STUDY_NAME_SIZE - 1);
    memcpy(arm->name, name, strlen(name) + 1);
    if (*arm->tuned && *level->tuned) return MS_FAIL(MS_INVALID, "arm %s: `tuned` is given twice", name);
    if (*level->tuned) memcpy(arm->tuned, level->tuned, sizeof arm->tuned);
    if (arm->seeds.n > 0 && level->seeds.n > 0) return MS_FAIL(MS_INVALID, "arm %s: `seeds` are given twice", name);
    if (level->seeds.n > 0) arm->seeds = level->seeds;
    arm->control |= level->control;
    char what[MS_STUDY_NAME_SIZE + 8];
    snprintf(what, sizeof what, "arm %s", arm->name);
    return add_settings(&arm->settings, &level->settings, what);
}

/* Each arm at each level, into `out`. */
static ms_status multiply(const struct list *arms, const struct list *levels, struct list *out) {
    if (arms->n * levels->n > MS_STUDY_ARMS)
        return MS_FAIL(MS_INVALID, "%d arms and %d levels make more than %d arms", arms->n, levels->n, MS_STUDY_ARMS);
    out->n = 0;
    for (int i = 0; i < arms->n; i++)
        for (int k = 0; k < levels->n; k++) {
            out->items[out->n] = arms->items[i];
            MS_TRY(add_level(&out->items[out->n++], &levels->items[k]));
        }
    return MS_OK;
}

/* What multiplies: three lists, of which two change their places. */
struct product {
    struct list arms, levels, result;
    int n_factors;
};

static ms_status read_factor(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target) {
    struct product *product = target;
    memset(product->levels.items, 0, MS_STUDY_ARMS * sizeof *product->levels.items);
    product->levels.n = 0;
    if (product->n_factors++ == MAX_FACTORS) return MS_STUDY_FAIL(reader, key, "more than %d factors", MAX_FACTORS);
    if (value->type == YAML_MAPPING_NODE)
        MS_TRY(ms_study_read_pairs(reader, value, "a factor", read_arm, &product->levels));
    else
        MS_TRY(read_values(reader, key, value, &product->levels));
    if (product->levels.n == 0) return MS_STUDY_FAIL(reader, value, "factor %s has no level", ms_study_scalar(key));
    if (multiply(&product->arms, &product->levels, &product->result) != MS_OK)
        return ms_status_note(MS_INVALID, "%s:%zu", reader->name, key->start_mark.line + 1);
    struct list arms = product->arms;
    product->arms = product->result;
    product->result = arms;
    return MS_OK;
}

static ms_status read_product(ms_study_reader *reader, const ms_study_arm_nodes *nodes, struct product *product) {
    if (nodes->arms) MS_TRY(ms_study_read_pairs(reader, nodes->arms, "arms", read_arm, &product->arms));
    if (!nodes->arms) product->arms.n = 1; /* without a name, which the factors give */
    if (nodes->factors) MS_TRY(ms_study_read_pairs(reader, nodes->factors, "factors", read_factor, product));
    if (product->arms.n == 0 || product->arms.items[0].name[0] == '\0')
        return MS_FAIL(MS_INVALID, "%s: a study needs `arms` or `factors`", reader->name);
    for (int i = 0; i < product->arms.n; i++) {
        ms_study_arm *arm = &product->arms.items[i];
        arm->i_tuning = -1;
        if (arm->seeds.n == 0) arm->seeds = nodes->seeds;
        if (arm->seeds.n == 0) return MS_FAIL(MS_INVALID, "%s: arm %s has no `seeds`", reader->name, arm->name);
        for (int k = 0; k < i; k++)
            if (strcmp(arm->name, product->arms.items[k].name) == 0)
                return MS_FAIL(MS_INVALID, "%s: two arms are called %s", reader->name, arm->name);
    }
    return MS_OK;
}

ms_status ms_study_read_arms(ms_study_reader *reader, const ms_study_arm_nodes *nodes, ms_study *study) {
    struct product product = {{calloc(MS_STUDY_ARMS, sizeof(ms_study_arm)), 0},
                              {calloc(MS_STUDY_ARMS, sizeof(ms_study_arm)), 0},
                              {calloc(MS_STUDY_ARMS, sizeof(ms_study_arm)), 0},
                              0};
    bool has_memory = product.arms.items && product.levels.items && product.result.items;
    ms_status status =
        has_memory ? read_product(reader, nodes, &product) : MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for its arms");
    if (status == MS_OK) {
        memcpy(study->arms, product.arms.items, (size_t)product.arms.n * sizeof *study->arms);
        study->n_arms = product.arms.n;
    }
    free(product.arms.items);
    free(product.levels.items);
    free(product.result.items);
    return status;
}
