#include "cli/config/config_request.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/config_effect.h"
#include "platform/output.h"

static const struct alias {
    const char *name, *full_name;
} aliases[] = {{"device", "train.device"},
               {"numerics", "train.numerics"},
               {"threads", "train.threads"},
               {"seed", "train.seed"},
               {"steps", "train.steps"},
               {"train_tokens", "train.tokens"},
               {"train-tokens", "train.tokens"},
               {"track_manifold", "tracker.enabled"},
               {"track-manifold", "tracker.enabled"},
               {"optimizer", "optimizer.name"},
               {"init_from", "init.from"},
               {"init-from", "init.from"}};

static const struct alias *find_alias(const char *option) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, option) == 0) return &aliases[i];
    return NULL;
}

const char *ms_config_request_full_name(const char *option) {
    const struct alias *alias = find_alias(option);
    return alias ? alias->full_name : NULL;
}

/* The message is about full_name, and begins with it or names it; the option is named too where it is another one. */
static ms_status refuse(const char *option, const char *full_name) {
    if (strcmp(option, full_name) == 0) return MS_FAIL(MS_USAGE, "%s", ms_status_message());
    return ms_status_note(MS_USAGE, "--%s", option);
}

/* Which of two values somebody meant nobody knows: also where one of the options is the key's short name. */
static ms_status check_new(const ms_config_request *request, const ms_config_override *override) {
    for (int i = 0; i < request->n_overrides; i++) {
        const ms_config_override *before = &request->overrides[i];
        if (before->key == override->key)
            return MS_FAIL(MS_USAGE, "--%s %s and --%s %s: %s is given twice; leave one out", before->option,
                           before->value, override->option, override->value, override->key->full_name);
    }
    return MS_OK;
}

static ms_status add_override(ms_config_request *request, const char *option, const char *full_name,
                              const char *value) {
    ms_config trial;
    ms_config_defaults(&trial);
    if (ms_config_set(&trial, full_name, value) != MS_OK) return refuse(option, full_name);
    if (strcmp(full_name, "init.from") == 0 && !value[0])
        return MS_FAIL(MS_USAGE, "--%s is empty: name a run, a checkpoint or a Hugging Face folder, or leave it out",
                       option);
    if (request->n_overrides == MS_CONFIG_OVERRIDES_MAX)
        return MS_FAIL(MS_USAGE, "--%s: more than %d configuration keys on the command line", option,
                       MS_CONFIG_OVERRIDES_MAX);
    const ms_config_key *key = ms_config_find(full_name);
    const struct alias *alias = find_alias(option);
    const ms_config_override override = {key, alias ? alias->name : key->full_name, value};
    MS_TRY(check_new(request, &override));
    request->overrides[request->n_overrides++] = override;
    return MS_OK;
}

ms_status ms_config_request_dotted(void *target, const char *name, const char *value) {
    char hint[MS_CONFIG_HINT_SIZE];
    if (!value) /* no option: which keys? */
        return ms_config_hint(name, "--", hint) ? MS_FAIL(MS_USAGE, "unknown option --%s; did you mean %s?", name, hint)
                                                : MS_FAIL(MS_NOT_FOUND, "no key is like %s", name);
    return add_override(target, name, name, value);
}

ms_status ms_config_request_alias(void *target, const char *name, const char *value) {
    const char *full_name = ms_config_request_full_name(name);
    if (full_name) return add_override(target, name, full_name, value);
    return MS_FAIL(MS_INTERNAL, "--%s is not the short name of a key", name);
}

ms_status ms_config_request_resolve(const ms_config_request *request, ms_config *config, ms_config_given *given) {
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    if (request->preset) MS_TRY(ms_config_load_preset(config, request->preset));
    if (request->file) MS_TRY(ms_config_load_file(config, request->file, given));
    bool steps_given = false, tokens_given = false;
    for (int i = 0; i < request->n_overrides; i++) {
        const ms_config_override *override = &request->overrides[i];
        if (ms_config_set(config, override->key->full_name, override->value) != MS_OK)
            return refuse(override->key->full_name, override->key->full_name);
        if (given) given->keys[override->key - keys] = true;
        steps_given |= strcmp(override->key->full_name, "train.steps") == 0;
        tokens_given |= strcmp(override->key->full_name, "train.tokens") == 0;
    }
    if (steps_given && !tokens_given) config->train.tokens = 0;
    return MS_OK;
}

ms_status ms_config_request_warn(const ms_config *config, const ms_config_given *given) {
    char *warnings;
    MS_TRY(ms_config_check_effect(config, given, &warnings));
    for (char *line = strtok(warnings, "\n"); line; line = strtok(NULL, "\n"))
        ms_print_line(stderr, "muonscope: warning: %s", line);
    free(warnings);
    return MS_OK;
}
