/* A study as its file declares it: arms, seeds, what is tuned, hypotheses.  docs/studies.md describes the file.
   Functions are thread-safe on distinct objects. */
#ifndef MS_CLI_STUDY_STUDY_H
#define MS_CLI_STUDY_STUDY_H

#include "cli/config/config_request.h"
#include "tracker/compare/measure.h"

enum {
    MS_STUDY_NAME_SIZE = 48, /* of a study, an arm, a hypothesis; with the NUL */
    MS_STUDY_TEXT_SIZE = 1024,
    MS_STUDY_VALUE_SIZE = 32, /* of a value that is tuned */
    MS_STUDY_ARMS = 64,
    MS_STUDY_SEEDS = 64,
    MS_STUDY_SETTINGS = 48, /* of the base, and of an arm */
    MS_STUDY_TUNINGS = 16,
    MS_STUDY_VALUES = 32, /* of a grid */
    MS_STUDY_HYPOTHESES = 6
};

/* A key and its value as it was written. */
typedef struct ms_study_setting {
    const ms_config_key *key;
    char value[MS_CONFIG_STRING_SIZE];
} ms_study_setting;

typedef struct ms_study_settings {
    char preset[MS_STUDY_NAME_SIZE]; /* "": none */
    ms_study_setting items[MS_STUDY_SETTINGS];
    int n;
} ms_study_settings;

typedef struct ms_study_seeds {
    int64_t items[MS_STUDY_SEEDS]; /* [n] ascending */
    int n;
} ms_study_seeds;

/* One configuration that is run with several seeds. */
typedef struct ms_study_arm {
    char name[MS_STUDY_NAME_SIZE]; /* letters, digits, '_' and '.' */
    ms_study_settings settings;    /* over the base */
    ms_study_seeds seeds;
    char tuned[MS_STUDY_NAME_SIZE]; /* arm whose tuning gives it a value; "": none */
    int i_tuning;                   /* -1: none */
    bool control;                   /* shows what a measure gives where nothing is learned */
} ms_study_arm;

/* A grid of one key, run with one arm on the tuning seed. */
typedef struct ms_study_tuning {
    char arm[MS_STUDY_NAME_SIZE];
    int i_arm;
    const ms_config_key *key;
    char values[MS_STUDY_VALUES][MS_STUDY_VALUE_SIZE]; /* [n] ascending, as they were written */
    int n;
} ms_study_tuning;

/* Runs are reduced to a number each, and the seeds' numbers are tested. */
typedef struct ms_study_hypothesis {
    char name[MS_STUDY_NAME_SIZE], statement[MS_STUDY_TEXT_SIZE];
    ms_measure measure;
    char measure_name[MS_STUDY_NAME_SIZE], of[MS_SERIES_NAME_SIZE], with[MS_SERIES_NAME_SIZE];
    char layers[MS_CONFIG_STRING_SIZE], projections[MS_CONFIG_STRING_SIZE]; /* "": all */
    char arm[MS_STUDY_NAME_SIZE], against[MS_STUDY_NAME_SIZE];              /* against "": a test of one arm */
    int i_arm, i_against;                                                   /* -1: none */
    double expected; /* mean of the numbers, or of the paired differences, if there is nothing */
} ms_study_hypothesis;

typedef struct ms_study {
    char name[MS_STUDY_NAME_SIZE], question[MS_STUDY_TEXT_SIZE];
    ms_study_settings base;
    ms_study_arm arms[MS_STUDY_ARMS];
    int n_arms;
    int64_t tuning_seed; /* -1: nothing is tuned */
    ms_study_tuning tunings[MS_STUDY_TUNINGS];
    int n_tunings;
    ms_study_hypothesis hypotheses[MS_STUDY_HYPOTHESES];
    int n_hypotheses;
    int compared[MS_STUDY_ARMS]; /* [n_compared] arms whose measures are shown against those of i_against, intervals
                                    only */
    int n_compared, i_against;
} ms_study;

/* Reads a study file; `name` stands for it in messages.  ms_study_destroy frees.  MS_INVALID: "name:line: ..." for what
   is no study; also a configuration that no run can have.  MS_OUT_OF_MEMORY. */
ms_status ms_study_load_text(const char *name, const char *text, size_t size_bytes, ms_study **out);
void ms_study_destroy(ms_study *study); /* NULL is fine */

/* The index of an arm; -1: there is none of the name. */
int ms_study_find_arm(const ms_study *study, const char *name);

/* The value of a key that is being tuned, or was; key NULL: none. */
typedef struct ms_study_choice {
    const ms_config_key *key;
    const char *value; /* borrowed */
} ms_study_choice;

/* The configuration of one run as a request of `muonscope train`: preset, then the keys of the base, the arm, the
   choice and the seed, a later one in place of an earlier one.  Borrows the study, the choice and seed_text, which it
   writes. MS_INVALID: too many keys. */
ms_status ms_study_request(const ms_study *study, const ms_study_arm *arm, const ms_study_choice *choice, int64_t seed,
                           char seed_text[24], ms_config_request *out);

/* What a hypothesis declares, one line for each thing: what must not change after its results are there.  The caller
   frees the text.  MS_OUT_OF_MEMORY. */
ms_status ms_study_hypothesis_text(const ms_study_hypothesis *hypothesis, char **out_text);

#endif
