/* The configuration part of a command line: --preset, --config, --section.key=value and the short names of common keys.
   Shared by every subcommand that builds a model (train, bench, generate).

       struct arguments { ms_config_request config; ... };            the request must be the first field
       static const ms_option options[] = {MS_CONFIG_OPTIONS, {...}, {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};
       static const ms_command command = {..., options, 0, 0, ms_config_request_dotted, MS_CONFIG_NOTES};

   after which ms_config_request_resolve gives the configuration. */
#ifndef MS_CLI_CONFIG_CONFIG_REQUEST_H
#define MS_CLI_CONFIG_CONFIG_REQUEST_H

#include "cli/config/config.h"
#include "cli/options/options.h"

enum { MS_CONFIG_OVERRIDES_MAX = 128 };

typedef struct ms_config_override {
    const ms_config_key *key;
    const char *option; /* without "--": the key's name, or the short one; static */
    const char *value;  /* borrowed from argv */
} ms_config_override;

typedef struct ms_config_request {
    const char *preset;                                    /* NULL: none */
    const char *file;                                      /* NULL: none */
    bool help;                                             /* --help-config: print ms_config_print_help and stop */
    ms_config_override overrides[MS_CONFIG_OVERRIDES_MAX]; /* in the order given */
    int n_overrides;
} ms_config_request;

/* Option handlers.  `target` points at a struct whose first field is an ms_config_request.  MS_USAGE: unknown key,
   wrong value, a key that was given before, more than MS_CONFIG_OVERRIDES_MAX overrides.  A dotted value of NULL asks
   for the keys that `name`, which is no option, may mean. */
ms_status ms_config_request_dotted(void *target, const char *name, const char *value); /* --section.key value */
ms_status ms_config_request_alias(void *target, const char *name,
                                  const char *value); /* --steps N, --device NAME, ... */

/* The key that a short name stands for, e.g. "train.steps" for "steps"; NULL: it stands for none.  Static. */
const char *ms_config_request_full_name(const char *option);

/* Rows of an option table for a struct whose first field is an ms_config_request. */
#define MS_CONFIG_OPTIONS                                                                                              \
    {"preset", MS_OPTION_STRING, offsetof(ms_config_request, preset), NULL, "NAME", "Start from a built-in preset"},   \
        {"config", MS_OPTION_STRING, offsetof(ms_config_request, file), NULL, "FILE", "Then apply a YAML file"},       \
        {"device", MS_OPTION_HANDLER, 0, ms_config_request_alias, "NAME", "train.device"},                             \
        {"numerics", MS_OPTION_HANDLER, 0, ms_config_request_alias, "NAME", "train.numerics: fast or exact"},          \
        {"threads", MS_OPTION_HANDLER, 0, ms_config_request_alias, "N", "train.threads; 0: all processors"},           \
        {"seed", MS_OPTION_HANDLER, 0, ms_config_request_alias, "N", "train.seed"},                                    \
        {"steps", MS_OPTION_HANDLER, 0, ms_config_request_alias, "N", "train.steps"},                                  \
        {"train_tokens", MS_OPTION_HANDLER, 0, ms_config_request_alias, "N", "train.tokens"},                          \
        {"track_manifold", MS_OPTION_HANDLER, 0, ms_config_request_alias, "BOOL", "tracker.enabled"},                  \
        {"optimizer", MS_OPTION_HANDLER,                                                                               \
         0,           ms_config_request_alias,                                                                         \
         "NAME",      "optimizer.name: muon, adamw, normuon or sgd"},                                                  \
    {                                                                                                                  \
        "help-config", MS_OPTION_FLAG, offsetof(ms_config_request, help), NULL, NULL, "Print every configuration key"  \
    }

#define MS_CONFIG_NOTES                                                                                                \
    "Every configuration key can be set as --section.key=value; --help-config lists them.\n"                           \
    "Later wins: defaults, --preset, --config, command line.  A key that is given and has no effect gets a warning."

/* `config` holds the values to start from: ms_config_defaults, or a saved run's.  Applies preset, file and overrides,
   whatever their order on the command line.  An override of train.steps switches off train.tokens unless that is
   overridden too.  The keys of the file and the overrides are added to `given`; NULL: nobody asks.  Does not call
   ms_config_check.  Errors of ms_config_load_preset and ms_config_load_file; MS_USAGE:
   an override. */
ms_status ms_config_request_resolve(const ms_config_request *request, ms_config *config, ms_config_given *given);

/* Checks the given keys by ms_config_check_effect, and prints its warnings on stderr: for a command without a log.
   MS_INVALID, MS_OUT_OF_MEMORY. */
ms_status ms_config_request_warn(const ms_config *config, const ms_config_given *given);

#endif
