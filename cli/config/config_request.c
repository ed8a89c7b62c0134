#include "cli/config/config_request.h"

#include <string.h>

/* The message is about full_name, and begins with it or names it; the option is named too where it is another one. */
static ms_status refuse(const char *option, const char *full_name) {
    if (strcmp(option, full_name) == 0) return MS_FAIL(MS_USAGE, "%s", ms_status_message());
    return ms_status_note(MS_USAGE, "--%s", option);
}

static ms_status add_override(ms_config_request *request, const char *option, const char *full_name,
                              const char *value) {
    ms_config trial;
    ms_config_defaults(&trial);
    if (ms_config_set(&trial, full_name, value) != MS_OK) return refuse(option, full_name);
    if (request->n_overrides == MS_CONFIG_OVERRIDES_MAX)
        return MS_FAIL(MS_USAGE, "--%s: more than %d configuration keys on the command line", option,
                       MS_CONFIG_OVERRIDES_MAX);
    ms_config_override *override = &request->overrides[request->n_overrides++];
    override->key = ms_config_find(full_name);
    override->value = value;
    return MS_OK;
}

ms_status ms_config_request_dotted(void *target, const char *name, const char *value) {
    char hint[MS_CONFIG_HINT_SIZE];
    if (!value) /* no option: which keys? */
        return ms_config_hint(name, "--", hint) ? MS_FAIL(MS_USAGE, "unknown option --%s; did you mean %s?", name, hint)
                                                : MS_FAIL(MS_NOT_FOUND, "no key is like %s", name);
    return add_override(target, name, name, value);
}

const char *ms_config_request_full_name(const char *option) {
    static const struct {
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
                   {"optimizer", "optimizer.name"}};
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, option) == 0) return aliases[i].full_name;
    return NULL;
}

ms_status ms_config_request_alias(void *target, const char *name, const char *value) {
    const char *full_name = ms_config_request_full_name(name);
    if (full_name) return add_override(target, name, full_name, value);
    return MS_FAIL(MS_INTERNAL, "--%s is not the short name of a key", name);
}

ms_status ms_config_request_resolve(const ms_config_request *request, ms_config *config) {
    if (request->preset) MS_TRY(ms_config_load_preset(config, request->preset));
    if (request->file) MS_TRY(ms_config_load_file(config, request->file));
    bool steps_given = false, tokens_given = false;
    for (int i = 0; i < request->n_overrides; i++) {
        const ms_config_override *override = &request->overrides[i];
        if (ms_config_set(config, override->key->full_name, override->value) != MS_OK)
            return refuse(override->key->full_name, override->key->full_name);
        steps_given |= strcmp(override->key->full_name, "train.steps") == 0;
        tokens_given |= strcmp(override->key->full_name, "train.tokens") == 0;
    }
    if (steps_given && !tokens_given) config->train.tokens = 0;
    return MS_OK;
}
