/* A study file becomes a study. */
#include <stdlib.h>
#include <string.h>

#include "cli/config/config_effect.h"
#include "cli/study/study_arms.h"

/* The file's parts, which are read in an order of their own: hypotheses name arms. */
struct parts {
    const yaml_node_t *preset, *base, *seeds, *arms, *factors, *tuning, *hypotheses, *comparisons;
    char name[MS_STUDY_NAME_SIZE], question[MS_STUDY_TEXT_SIZE];
};

static const ms_study_field root_fields[] = {{"study", ms_study_field_name, offsetof(struct parts, name)},
                                             {"question", ms_study_field_text, offsetof(struct parts, question)},
                                             {"preset", ms_study_field_node, offsetof(struct parts, preset)},
                                             {"base", ms_study_field_node, offsetof(struct parts, base)},
                                             {"seeds", ms_study_field_node, offsetof(struct parts, seeds)},
                                             {"arms", ms_study_field_node, offsetof(struct parts, arms)},
                                             {"factors", ms_study_field_node, offsetof(struct parts, factors)},
                                             {"tuning", ms_study_field_node, offsetof(struct parts, tuning)},
                                             {"hypotheses", ms_study_field_node, offsetof(struct parts, hypotheses)},
                                             {"comparisons", ms_study_field_node, offsetof(struct parts, comparisons)},
                                             {NULL, NULL, 0}};

int ms_study_find_arm(const ms_study *study, const char *name) {
    for (int i = 0; i < study->n_arms; i++)
        if (strcmp(study->arms[i].name, name) == 0) return i;
    return -1;
}

static ms_status find_arm(ms_study_reader *reader, const yaml_node_t *at, const ms_study *study, const char *name,
                          int *out) {
    char known[400] = "";
    *out = ms_study_find_arm(study, name);
    if (*out >= 0) return MS_OK;
    for (int i = 0; i < study->n_arms; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", study->arms[i].name);
    return MS_STUDY_FAIL(reader, at, "there is no arm %s (there are %s)", name, known);
}

/* --- tuning --- */

struct tuning_part {
    const yaml_node_t *seed, *arms;
};

static const ms_study_field tuning_fields[] = {{"seed", ms_study_field_node, offsetof(struct tuning_part, seed)},
                                               {"arms", ms_study_field_node, offsetof(struct tuning_part, arms)},
                                               {NULL, NULL, 0}};

struct grid_part {
    const yaml_node_t *key, *values;
};

static const ms_study_field grid_fields[] = {{"key", ms_study_field_node, offsetof(struct grid_part, key)},
                                             {"values", ms_study_field_node, offsetof(struct grid_part, values)},
                                             {NULL, NULL, 0}};

/* Numbers, ascending, none twice; that the key takes them is seen when the run's configuration is made. */
static ms_status add_value(ms_study_reader *reader, const yaml_node_t *node, ms_study_tuning *tuning) {
    char text[MS_STUDY_VALUE_SIZE];
    double value, other;
    MS_TRY(ms_study_read_number(reader, node, tuning->key->full_name, &value));
    MS_TRY(ms_study_read_text(reader, node, tuning->key->full_name, text, sizeof text));
    if (tuning->n == MS_STUDY_VALUES) return MS_STUDY_FAIL(reader, node, "more than %d values", MS_STUDY_VALUES);
    int at = tuning->n;
    for (; at > 0; at--) {
        other = strtod(tuning->values[at - 1], NULL);
        if (other == value) return MS_STUDY_FAIL(reader, node, "%s is there twice", text);
        if (other < value) break;
    }
    memmove(tuning->values[at + 1], tuning->values[at], (size_t)(tuning->n - at) * sizeof *tuning->values);
    memcpy(tuning->values[at], text, sizeof text);
    tuning->n++;
    return MS_OK;
}

static ms_status read_tuning(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target) {
    ms_study *study = target;
    struct grid_part part = {NULL, NULL};
    if (study->n_tunings == MS_STUDY_TUNINGS)
        return MS_STUDY_FAIL(reader, key, "more than %d tunings", MS_STUDY_TUNINGS);
    ms_study_tuning *tuning = &study->tunings[study->n_tunings++];
    MS_TRY(ms_study_read_name(reader, key, "an arm", tuning->arm));
    MS_TRY(find_arm(reader, key, study, tuning->arm, &tuning->i_arm));
    MS_TRY(ms_study_read_fields(reader, value, "a tuning", grid_fields, &part));
    if (!part.key || !part.values) return MS_STUDY_FAIL(reader, key, "%s", "a tuning needs `key` and `values`");
    tuning->key = ms_config_find(ms_study_scalar(part.key));
    if (!tuning->key || (tuning->key->type != MS_CONFIG_INT && tuning->key->type != MS_CONFIG_FLOAT))
        return MS_STUDY_FAIL(reader, part.key, "'%s' is no key with a number", ms_study_scalar(part.key));
    for (size_t i = 0; i < ms_study_n_items(part.values); i++)
        MS_TRY(add_value(reader, ms_study_item(reader, part.values, i), tuning));
    if (tuning->n < 2) return MS_STUDY_FAIL(reader, value, "a grid of %d values tunes nothing", tuning->n);
    if (tuning->n != study->tunings[0].n)
        return MS_STUDY_FAIL(reader, value, "arm %s is tuned with %d runs and %s with %d: give each as many",
                             tuning->arm, tuning->n, study->tunings[0].arm, study->tunings[0].n);
    return MS_OK;
}

static ms_status read_tunings(ms_study_reader *reader, const yaml_node_t *node, ms_study *study) {
    struct tuning_part part = {NULL, NULL};
    ms_study_seeds seed;
    MS_TRY(ms_study_read_fields(reader, node, "tuning", tuning_fields, &part));
    if (!part.seed || !part.arms) return MS_STUDY_FAIL(reader, node, "%s", "tuning needs `seed` and `arms`");
    MS_TRY(ms_study_read_seeds(reader, part.seed, &seed));
    if (seed.n != 1) return MS_STUDY_FAIL(reader, part.seed, "tuning takes one seed, not %d", seed.n);
    study->tuning_seed = seed.items[0];
    for (int i = 0; i < study->n_arms; i++)
        for (int k = 0; k < study->arms[i].seeds.n; k++)
            if (study->arms[i].seeds.items[k] == study->tuning_seed)
                return MS_STUDY_FAIL(
                    reader, part.seed,
                    "seed %lld is also one of arm %s: what was tuned on a seed looks better on it than "
                    "on others; take another",
                    (long long)study->tuning_seed, study->arms[i].name);
    return ms_study_read_pairs(reader, part.arms, "the arms of a tuning", read_tuning, study);
}

/* Which tuning gives each arm its value. */
static ms_status join_tunings(ms_study_reader *reader, ms_study *study) {
    for (int i = 0; i < study->n_arms; i++) {
        ms_study_arm *arm = &study->arms[i];
        for (int k = 0; k < study->n_tunings; k++)
            if (*arm->tuned && strcmp(study->tunings[k].arm, arm->tuned) == 0) arm->i_tuning = k;
        if (*arm->tuned && arm->i_tuning < 0)
            return MS_FAIL(MS_INVALID, "%s: arm %s is tuned as %s, which `tuning` does not have", reader->name,
                           arm->name, arm->tuned);
        for (int k = 0; arm->i_tuning >= 0 && k < arm->settings.n; k++)
            if (arm->settings.items[k].key == study->tunings[arm->i_tuning].key)
                return MS_FAIL(MS_INVALID, "%s: arm %s sets %s, which is tuned", reader->name, arm->name,
                               arm->settings.items[k].key->full_name);
    }
    return MS_OK;
}

/* --- hypotheses --- */

static ms_status read_list(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    char *out = target;
    size_t used = 0;
    for (size_t i = 0; i < ms_study_n_items(value); i++) {
        char text[64];
        MS_TRY(ms_study_read_text(reader, ms_study_item(reader, value, i), name, text, sizeof text));
        if (used + strlen(text) + 2 > MS_CONFIG_STRING_SIZE) return MS_STUDY_FAIL(reader, value, "%s: too many", name);
        used += (size_t)snprintf(out + used, MS_CONFIG_STRING_SIZE - used, "%s%s", i ? "," : "", text);
    }
    return MS_OK;
}

static ms_status read_metric(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    return ms_study_read_text(reader, value, name, target, MS_SERIES_NAME_SIZE);
}

static ms_status read_from(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    double number;
    MS_TRY(ms_study_read_number(reader, value, name, &number));
    if (!(number >= 0 && number <= 1e9)) return MS_STUDY_FAIL(reader, value, "%s %g: a step is meant", name, number);
    *(int64_t *)target = (int64_t)number;
    return MS_OK;
}

static const ms_study_field hypothesis_fields[] = {
    {"statement", ms_study_field_text, offsetof(ms_study_hypothesis, statement)},
    {"measure", ms_study_field_name, offsetof(ms_study_hypothesis, measure_name)},
    {"of", read_metric, offsetof(ms_study_hypothesis, of)},
    {"with", read_metric, offsetof(ms_study_hypothesis, with)},
    {"layers", read_list, offsetof(ms_study_hypothesis, layers)},
    {"projections", read_list, offsetof(ms_study_hypothesis, projections)},
    {"from", read_from, offsetof(ms_study_hypothesis, measure) + offsetof(ms_measure, from)},
    {"arm", ms_study_field_name, offsetof(ms_study_hypothesis, arm)},
    {"against", ms_study_field_name, offsetof(ms_study_hypothesis, against)},
    {"expected", ms_study_field_number, offsetof(ms_study_hypothesis, expected)},
    {NULL, NULL, 0}};

static ms_status note_line(ms_study_reader *reader, const yaml_node_t *at, ms_status status) {
    if (status == MS_OK || status == MS_OUT_OF_MEMORY) return status;
    return ms_status_note(MS_INVALID, "%s:%zu", reader->name, at->start_mark.line + 1);
}

static ms_status make_measure(ms_study_hypothesis *hypothesis) {
    ms_measure *measure = &hypothesis->measure;
    char known[200] = "";
    int kind = 0;
    while (kind < MS_MEASURE_KINDS && strcmp(ms_measure_kind_name(kind), hypothesis->measure_name) != 0) kind++;
    for (int i = 0; i < MS_MEASURE_KINDS; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", ms_measure_kind_name(i));
    if (kind == MS_MEASURE_KINDS)
        return MS_FAIL(MS_INVALID, "measure '%s' is none of %s", hypothesis->measure_name, known);
    measure->kind = (ms_measure_kind)kind;
    MS_TRY(ms_quantity_find(hypothesis->of, &measure->of));
    if (*hypothesis->with) MS_TRY(ms_quantity_find(hypothesis->with, &measure->with));
    measure->layers = *hypothesis->layers ? hypothesis->layers : NULL;
    measure->projections = *hypothesis->projections ? hypothesis->projections : NULL;
    return ms_measure_check(measure);
}

static ms_status read_hypothesis(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                 void *target) {
    ms_study *study = target;
    if (study->n_hypotheses == MS_STUDY_HYPOTHESES)
        return MS_STUDY_FAIL(reader, key,
                             "more than %d hypotheses: each one more makes all of them harder to show; what else is "
                             "looked at is a comparison",
                             MS_STUDY_HYPOTHESES);
    ms_study_hypothesis *hypothesis = &study->hypotheses[study->n_hypotheses++];
    hypothesis->i_against = -1;
    MS_TRY(ms_study_read_name(reader, key, "a hypothesis", hypothesis->name));
    MS_TRY(ms_study_read_fields(reader, value, "a hypothesis", hypothesis_fields, hypothesis));
    if (!*hypothesis->statement || !*hypothesis->measure_name || !*hypothesis->of || !*hypothesis->arm)
        return MS_STUDY_FAIL(reader, key, "hypothesis %s needs `statement`, `measure`, `of` and `arm`",
                             hypothesis->name);
    MS_TRY(note_line(reader, value, make_measure(hypothesis)));
    MS_TRY(find_arm(reader, value, study, hypothesis->arm, &hypothesis->i_arm));
    if (*hypothesis->against) MS_TRY(find_arm(reader, value, study, hypothesis->against, &hypothesis->i_against));
    if (hypothesis->i_against == hypothesis->i_arm)
        return MS_STUDY_FAIL(reader, value, "hypothesis %s compares %s with itself", hypothesis->name, hypothesis->arm);
    return MS_OK;
}

ms_status ms_study_hypothesis_text(const ms_study_hypothesis *hypothesis, char **out_text) {
    char formula[600];
    size_t size;
    *out_text = NULL;
    FILE *stream = open_memstream(out_text, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a hypothesis");
    fprintf(stream, "statement: %s\nmeasure: %s: %s\narm: %s%s%s\nexpected: %.17g\n", hypothesis->statement,
            hypothesis->measure_name, ms_measure_formula(&hypothesis->measure, formula, sizeof formula),
            hypothesis->arm, *hypothesis->against ? " against " : "", hypothesis->against, hypothesis->expected);
    if (fclose(stream) == 0) return MS_OK;
    free(*out_text);
    *out_text = NULL;
    return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a hypothesis");
}

/* --- comparisons --- */

struct comparisons_part {
    const yaml_node_t *arms, *against;
};

static const ms_study_field comparisons_fields[] = {
    {"arms", ms_study_field_node, offsetof(struct comparisons_part, arms)},
    {"against", ms_study_field_node, offsetof(struct comparisons_part, against)},
    {NULL, NULL, 0}};

static ms_status read_comparisons(ms_study_reader *reader, const yaml_node_t *node, ms_study *study) {
    struct comparisons_part part = {NULL, NULL};
    char name[MS_STUDY_NAME_SIZE];
    MS_TRY(ms_study_read_fields(reader, node, "comparisons", comparisons_fields, &part));
    if (!part.arms || !part.against) return MS_STUDY_FAIL(reader, node, "%s", "comparisons need `arms` and `against`");
    MS_TRY(ms_study_read_name(reader, part.against, "against", name));
    MS_TRY(find_arm(reader, part.against, study, name, &study->i_against));
    for (size_t i = 0; i < ms_study_n_items(part.arms); i++) {
        const yaml_node_t *item = ms_study_item(reader, part.arms, i);
        if (study->n_compared == MS_STUDY_ARMS) return MS_STUDY_FAIL(reader, item, "more than %d", MS_STUDY_ARMS);
        MS_TRY(ms_study_read_name(reader, item, "an arm", name));
        MS_TRY(find_arm(reader, item, study, name, &study->compared[study->n_compared++]));
        if (study->compared[study->n_compared - 1] == study->i_against)
            return MS_STUDY_FAIL(reader, item, "%s is compared with itself", name);
    }
    return MS_OK;
}

/* --- the whole --- */

/* Every run's configuration, once for each arm and each value of a grid: what is wrong in one is said now, not after a
   night of runs. */
static ms_status check_configs(ms_study_reader *reader, const ms_study *study) {
    for (int i = 0; i < study->n_arms; i++) {
        const ms_study_arm *arm = &study->arms[i];
        const ms_study_tuning *tuning = arm->i_tuning >= 0 ? &study->tunings[arm->i_tuning] : NULL;
        for (int k = 0; k < (tuning ? tuning->n : 1); k++) {
            ms_study_choice choice = {tuning ? tuning->key : NULL, tuning ? tuning->values[k] : NULL};
            ms_config config;
            ms_config_request request;
            ms_config_given given = {.keys = {false}};
            char seed[24], *warnings = NULL;
            ms_config_defaults(&config);
            ms_status status = ms_study_request(study, arm, &choice, arm->seeds.items[0], seed, &request);
            if (status == MS_OK) status = ms_config_request_resolve(&request, &config, &given);
            if (status == MS_OK) status = ms_config_check(&config);
            if (status == MS_OK) status = ms_config_check_effect(&config, &given, &warnings);
            free(warnings);
            if (status == MS_OUT_OF_MEMORY) return status;
            if (status != MS_OK) return ms_status_note(MS_INVALID, "%s: arm %s", reader->name, arm->name);
        }
    }
    return MS_OK;
}

static ms_status read_parts(ms_study_reader *reader, const yaml_node_t *root, ms_study *study) {
    struct parts parts = {.name = ""};
    ms_study_arm_nodes arms = {.arms = NULL};
    MS_TRY(ms_study_read_fields(reader, root, "a study", root_fields, &parts));
    if (!*parts.name) return MS_STUDY_FAIL(reader, root, "%s", "a study has a name: study: NAME");
    memcpy(study->name, parts.name, sizeof study->name);
    memcpy(study->question, parts.question, sizeof study->question);
    if (parts.preset)
        MS_TRY(ms_study_read_text(reader, parts.preset, "preset", study->base.preset, sizeof study->base.preset));
    if (parts.base) MS_TRY(ms_study_read_settings(reader, parts.base, &study->base));
    if (parts.seeds) MS_TRY(ms_study_read_seeds(reader, parts.seeds, &arms.seeds));
    arms.arms = parts.arms;
    arms.factors = parts.factors;
    MS_TRY(ms_study_read_arms(reader, &arms, study));
    if (parts.tuning) MS_TRY(read_tunings(reader, parts.tuning, study));
    MS_TRY(join_tunings(reader, study));
    if (parts.hypotheses) MS_TRY(ms_study_read_pairs(reader, parts.hypotheses, "hypotheses", read_hypothesis, study));
    if (parts.comparisons) MS_TRY(read_comparisons(reader, parts.comparisons, study));
    return check_configs(reader, study);
}

ms_status ms_study_load_text(const char *name, const char *text, size_t size_bytes, ms_study **out) {
    yaml_document_t document;
    *out = NULL;
    MS_TRY(ms_yaml_load(name, text, size_bytes, &document));
    ms_study *study = calloc(1, sizeof *study);
    ms_study_reader reader = {name, &document};
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    ms_status status = MS_OK;
    if (!study) status = MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %s", name);
    if (study && !root) status = MS_FAIL(MS_INVALID, "%s is empty", name);
    if (study) study->tuning_seed = study->i_against = -1;
    if (status == MS_OK) status = read_parts(&reader, root, study);
    yaml_document_delete(&document);
    if (status == MS_OK)
        *out = study;
    else
        ms_study_destroy(study);
    return status;
}

void ms_study_destroy(ms_study *study) { free(study); }

/* --- configurations --- */

static ms_status override(ms_config_request *request, const ms_config_key *key, const char *value) {
    int i = 0;
    while (i < request->n_overrides && request->overrides[i].key != key) i++;
    if (i == MS_CONFIG_OVERRIDES_MAX)
        return MS_FAIL(MS_INVALID, "more than %d configuration keys", MS_CONFIG_OVERRIDES_MAX);
    if (i == request->n_overrides) request->n_overrides++;
    request->overrides[i] = (ms_config_override){key, key->full_name, value};
    return MS_OK;
}

ms_status ms_study_request(const ms_study *study, const ms_study_arm *arm, const ms_study_choice *choice, int64_t seed,
                           char seed_text[24], ms_config_request *out) {
    const ms_study_settings *settings[] = {&study->base, &arm->settings};
    memset(out, 0, sizeof *out);
    for (int k = 0; k < 2; k++) {
        if (*settings[k]->preset) out->preset = settings[k]->preset;
        for (int i = 0; i < settings[k]->n; i++)
            MS_TRY(override(out, settings[k]->items[i].key, settings[k]->items[i].value));
    }
    if (choice && choice->key) MS_TRY(override(out, choice->key, choice->value));
    snprintf(seed_text, 24, "%lld", (long long)seed);
    return override(out, ms_config_find("train.seed"), seed_text);
}
