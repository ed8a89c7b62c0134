/* The configuration of a run.  One table, cli/config/config.def, makes this struct, the defaults, the YAML reader and
   writer, the
   --section.key=value overrides and --help-config.  A configuration is plain data: copy it by assignment.  Values come,
   later ones winning, from the defaults, a preset, a --config file, and the command line.  Functions are thread-safe on
   distinct objects. */
#ifndef MS_CLI_CONFIG_CONFIG_H
#define MS_CLI_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "platform/status.h"
#include "tracker/step_sigma.h"
#include "tracker/tracker.h"
#include "train/control.h"

enum { MS_CONFIG_STRING_SIZE = 512 }; /* bytes of a string value with its NUL */

/* What becomes of the schedule of a run that is resumed with another number of steps. */
typedef enum ms_at_resume {
    MS_AT_RESUME_STRETCH, /* it spreads over the steps of now: the next rate may jump, and a run says so */
    MS_AT_RESUME_KEEP     /* it ends where it would have; steps beyond have its last rate */
} ms_at_resume;
/* Names by value; ends with NULL. */
extern const char *const ms_at_resume_names[];

/* Nested by section: config.model.layers, config.muon.lr, ... */
typedef struct ms_config {
#define SECTION(name, doc) struct {
#define SECTION_END(name)                                                                                              \
    }                                                                                                                  \
    name;
#define INT(section, key, initial, lowest, highest, resume, doc) int64_t key;
#define FLOAT(section, key, initial, lowest, highest, resume, doc) double key;
#define BOOL(section, key, initial, resume, doc) bool key;
#define CHOICE(section, key, type, INITIAL, resume, doc) type key;
#define STRING(section, key, initial, resume, doc) char key[MS_CONFIG_STRING_SIZE];
#include "cli/config/config.def"
#undef SECTION
#undef SECTION_END
#undef INT
#undef FLOAT
#undef BOOL
#undef CHOICE
#undef STRING
} ms_config;

typedef enum ms_config_type {
    MS_CONFIG_INT,
    MS_CONFIG_FLOAT,
    MS_CONFIG_BOOL,
    MS_CONFIG_CHOICE,
    MS_CONFIG_STRING
} ms_config_type;

/* What a key means to a run that is resumed. */
typedef enum ms_config_resume {
    MS_CONFIG_FREE,  /* may change */
    MS_CONFIG_FIXED, /* must not change, and is part of the run's identity (ms_config_fixed_text) */
    MS_CONFIG_ADDED  /* the same, but no part of it at its default: checkpoints that are older than the key go on */
} ms_config_resume;

/* One row of the table. */
typedef struct ms_config_key {
    const char *section;
    const char *name;
    const char *full_name; /* "section.name" */
    ms_config_type type;
    size_t offset, size_bytes;  /* of the value in ms_config */
    double lowest, highest;     /* MS_CONFIG_INT and MS_CONFIG_FLOAT, both allowed */
    double initial;             /* default of a number, bool (0, 1) or choice (its index) */
    const char *initial_string; /* default of a string, else NULL */
    const char *const *choices; /* MS_CONFIG_CHOICE: names by value, ends with NULL; else NULL */
    ms_config_resume resume;
    const char *doc;
} ms_config_key;

/* All keys in the order of the table.  Static. */
const ms_config_key *ms_config_keys(int *out_n);
/* Whether two names are the same, '-' and '_' being so. */
bool ms_config_same_name(const char *a, const char *b);
/* The key "section.name" (as ms_config_same_name), or "section" where that section has a key `name`; NULL if there is
   none. */
const ms_config_key *ms_config_find(const char *full_name);
/* The doc line of a section, "" if there is none of that name.  Static. */
const char *ms_config_section_doc(const char *section);

void ms_config_defaults(ms_config *out);

/* Sets one key from text.  MS_NOT_FOUND: no such key, with the nearest one.  MS_INVALID: wrong type or out of range,
   with what is allowed; the configuration is then unchanged. */
ms_status ms_config_set(ms_config *config, const char *full_name, const char *value);

enum { MS_CONFIG_HINT_SIZE = 256 };
/* The keys that somebody may have meant who wrote one that does not exist: `name` is "section.key", or a key or section
   alone.  Keys of the same name come first, then those that the field calls so (learning_rate: lr), then near
   spellings: of its own section where that exists, else of all.  Writes the keys, each after `before` ("--" for a
   command line), as "a", "a or b" or "a, b or c"; at most 8.  False, and "": nothing is like it. */
bool ms_config_hint(const char *name, const char *before, char out[MS_CONFIG_HINT_SIZE]);

/* Writes a value as text (numbers so that they read back to the same bits) and returns out.  size >=
   MS_CONFIG_STRING_SIZE. */
const char *ms_config_value_text(const ms_config *config, const ms_config_key *key, char *out, size_t size);
/* What a key accepts, e.g. "1 to 4096" or "relu2 | swiglu"; returns out. */
const char *ms_config_allowed_text(const ms_config_key *key, char *out, size_t size);

enum { MS_CONFIG_KEYS_MAX = 256 };

/* Keys that were set by somebody, by their index in ms_config_keys. */
typedef struct ms_config_given {
    bool keys[MS_CONFIG_KEYS_MAX];
    bool is_partial; /* a file has MS_CONFIG_PARTIAL_LINE: what it does not give is not known, and no default */
} ms_config_given;

/* In the config.yaml that muonscope.Tracker of the Python package writes beside a training of another program. */
#define MS_CONFIG_PARTIAL_LINE "# Made by muonscope.Tracker"

/* Applies a YAML file, and adds the keys that it sets to `given`; NULL: nobody asks.  Of the config.yaml of a run,
   known by its hash, none is given, and a run of `fast` that is older than model.loss_chunk has the 512 tokens of its
   time. MS_NOT_FOUND, MS_IO: the file.  MS_INVALID: "file:line: ..." for malformed YAML, an unknown or repeated section
   or key, a wrong value. */
ms_status ms_config_load_file(ms_config *config, const char *path, ms_config_given *given);
/* Applies YAML in memory; `name` stands for the file in messages. */
ms_status ms_config_load_text(ms_config *config, const char *name, const char *text, size_t size_bytes);
/* Applies a preset built into the program.  MS_NOT_FOUND lists the presets and names the nearest. */
ms_status ms_config_load_preset(ms_config *config, const char *name);

/* Checks what no single key can: MS_INVALID with the keys and their numbers.  model.vocabulary may still be 0 (from the
   data). */
ms_status ms_config_check(const ms_config *config);

/* Tokens of one optimizer step: sequence_length * batch_sequences * accumulation. */
int64_t ms_config_tokens_per_step(const ms_config *config);
/* Steps of the whole run: train.steps, or train.tokens in whole steps, rounded down; under schedule.convention
   reference rounded up. */
int64_t ms_config_steps(const ms_config *config);
/* Steps that the schedule spreads over: schedule.steps; where that is 0 those of the run, but train.tokens are rounded
   down under either convention, since the reference's schedule ends where its last whole step does. */
int64_t ms_config_schedule_steps(const ms_config *config);

/* All keys as YAML, their docs as comments: what ms_config_load_text reads back to the same values.  The caller frees
   the text.  MS_OUT_OF_MEMORY. */
ms_status ms_config_text(const ms_config *config, char **out_text);
/* The keys that must not change when a run is resumed, "section.key=value" a line, but for the folder of the data.  The
   caller frees the text.  MS_OUT_OF_MEMORY. */
ms_status ms_config_fixed_text(const ms_config *config, char **out_text);
/* All keys, "section.key=value" a line, strings quoted so that each is one line.  The caller frees the text.
   MS_OUT_OF_MEMORY. */
ms_status ms_config_settings_text(const ms_config *config, char **out_text);
/* Prints all keys with the values of `config`, what they accept and their docs, for --help-config. */
void ms_config_print_help(const ms_config *config, FILE *stream);

/* Puts the keys whose values differ into out (at most `capacity`) and returns how many differ. */
int ms_config_difference(const ms_config *a, const ms_config *b, const ms_config_key **out, int capacity);
/* For --resume: MS_MISMATCH names the first fixed key that differs, with both values. */
ms_status ms_config_check_resume(const ms_config *saved, const ms_config *wanted);

/* For --resume, after `wanted` was resolved on the values of `saved`: with schedule.at_resume keep the length of the
   saved schedule becomes schedule.steps, so that later resumptions keep it too; from keep back to stretch, 0.  A
   schedule.steps that differs from the saved one was asked for, and stays. */
void ms_config_resume_schedule(const ms_config *saved, ms_config *wanted);

/* Presets built into the program, by name. */
typedef struct ms_preset {
    const char *name; /* NULL after the last */
    const char *text; /* YAML */
    size_t size_bytes;
} ms_preset;
extern const ms_preset ms_presets[];

#endif
