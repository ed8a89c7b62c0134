/* The runs of a comparison: their configurations, which group each is in, and what differs between them that should
   not. Not thread-safe on one object. */
#ifndef MS_CLI_COMPARE_RUNS_H
#define MS_CLI_COMPARE_RUNS_H

#include "cli/compare/notes.h"
#include "cli/config/config.h"
#include "tracker/compare/comparison.h"
#include "tracker/compare/parting.h"

enum { MS_COMPARE_KEYS = 32, MS_COMPARE_METRICS = 64, MS_COMPARE_LABEL_SIZE = 512 };

/* What is asked for. */
typedef struct ms_compare_request {
    char **paths; /* [n_paths] run folders, borrowed */
    int n_paths;
    /* [n_paths] the group of each run, borrowed; NULL: by keys.  With groups, `by` are the keys that may differ between
       them. */
    const char *const *groups;
    const ms_config_key *by[MS_COMPARE_KEYS]; /* n_by 0: the one key that differs, or none */
    int n_by;
    const char *baseline; /* label of a group; NULL: the first */
    ms_series_metric metrics[MS_COMPARE_METRICS];
    size_t n_metrics;
    bool default_metrics; /* those that no run has are left out without a word */
    ms_series_selection selection;
    double smoothing; /* share of the tokens of the shortest finished run */
} ms_compare_request;

typedef struct ms_compare_run {
    const char *path;  /* borrowed */
    const char *group; /* borrowed; NULL: by keys */
    ms_config config;
    ms_config_given given; /* is_partial: of the keys that it lacks nothing is known */
    int64_t n_steps;       /* that it was to make */
    char data_sha256[65];  /* of the shards it was trained and validated on; "": not known */
} ms_compare_run;

/* Two runs of one seed. */
typedef struct ms_compare_pair {
    const char *a, *b; /* paths, borrowed */
    int64_t seed;
    ms_parting parting;
} ms_compare_pair;

typedef struct ms_compare_set {
    ms_compare_run *runs;      /* [n] */
    ms_compared_run *compared; /* [n] the same */
    size_t n;
    int n_left_out;            /* runs that were named and cannot be compared; a note says why */
    char first_left_out[1024]; /* of the first of them */
    const ms_config_key *by[MS_COMPARE_KEYS];
    int n_by;
    char (*labels)[MS_COMPARE_LABEL_SIZE]; /* [n_groups] values of the keys: "muon, 0.02"; "all" without a key */
    int n_groups, i_baseline;
    ms_series_metric metrics[MS_COMPARE_METRICS];
    size_t n_metrics;
    size_t n_series; /* of each run that are to be freed: the metrics, and what is read beside them */
    double smoothing_tokens;
    ms_compare_pair *pairs; /* [n_pairs] whose weights were hashed at a common step: twins, then baseline and others */
    size_t n_pairs;
    ms_notes notes;
} ms_compare_set;

/* Reads and groups the runs.  What cannot be used is left out with a note, as are all things that a reader of the
   numbers has to know.  ms_compare_set_finish frees; `out` is zeroed on failure.  MS_NOT_FOUND: no run is left.
   MS_USAGE: several keys differ and none is named, a baseline that is no group, a selection that is none.
   MS_OUT_OF_MEMORY. */
ms_status ms_compare_set_init(const ms_compare_request *request, ms_compare_set *out);
void ms_compare_set_finish(ms_compare_set *set);

/* The full names of n keys, "muon.lr, muon.split"; what does not fit is cut. */
void ms_compare_join_keys(const ms_config_key *const *keys, int n, char *out, size_t size);

/* What tracker/compare/comparison.h compares.  Borrowed. */
ms_compared_runs ms_compare_set_runs(const ms_compare_set *set);

/* differences.c: whether a key chooses what is written and when, and changes no number that is compared. */
bool ms_compare_is_without_effect(const ms_config_key *key);

/* Whether a run's value of a key is known: not of one that a folder of muonscope.Tracker lacks. */
bool ms_compare_is_known(const ms_compare_run *run, const ms_config_key *key);
/* The value as text, "not known" where it is not; returns out.  size >= MS_CONFIG_STRING_SIZE. */
const char *ms_compare_value_text(const ms_compare_run *run, const ms_config_key *key, char *out, size_t size);
/* Whether two runs have unlike values of a key.  What a folder of Tracker does not know of is no difference to a run of
   muonscope; between two such folders, a value that one of them gives is. */
bool ms_compare_is_unlike(const ms_compare_run *a, const ms_compare_run *b, const ms_config_key *key);

/* The hash of the shards that dataset.json of a run, or of a folder of data, names, in their order; "" where there is
   no such file.  MS_OUT_OF_MEMORY. */
ms_status ms_compare_data_hash(const char *folder, char out[65]);

/* differences.c: adds notes about keys, data and settings that differ beside those that group, and that a run changed
   when it was resumed. */
ms_status ms_compare_note_differences(ms_compare_set *set);
/* Keys whose values differ, but seeds and those without an effect on what is compared; at most `capacity` go
   into out. */
int ms_compare_unlike_keys(const ms_compare_set *set, const ms_config_key **out, int capacity);

/* partings.c: adds a pair of runs that may part. */
ms_status ms_compare_add_pair(ms_compare_set *set, const char *a, const char *b, int64_t seed);
/* Adds the pairs of the comparison, finds where each parts, drops those without hashes.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_compare_find_partings(ms_compare_set *set);

/* evidence.c: adds notes about runs that are not finished, values that are missing, seeds without a partner.  Default
   metrics that no run has are dropped. */
ms_status ms_compare_note_evidence(ms_compare_set *set, bool are_default);
/* Adds notes about runs that do not get as far as a comparison's place. */
ms_status ms_compare_note_reach(ms_compare_set *set, ms_comparison_at at, double place);

#endif
