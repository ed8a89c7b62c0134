/* A run's model, or that of a Hugging Face folder, for commands that use its weights: configuration, tokenizer,
   device. */
#ifndef MS_CLI_RUN_MODEL_H
#define MS_CLI_RUN_MODEL_H

#include "backend/backend.h"
#include "cli/config/config.h"
#include "cli/config/init_from.h"
#include "cli/options/options.h"
#include "model/data/tokenizer.h"
#include "model/model.h"
#include "train/run_folder.h"

/* Rows of options for a command whose arguments have the members int64_t step (-1: not given), const char *device and
   int64_t threads. */
#define MS_RUN_MODEL_OPTIONS(arguments)                                                                                \
    {"step", MS_OPTION_COUNT, offsetof(arguments, step), NULL, "N", "Checkpoint to use (default: the newest)"},        \
        {"device", MS_OPTION_STRING, offsetof(arguments, device), NULL, "NAME", "Device (default: the run's)"}, {      \
        "threads", MS_OPTION_COUNT, offsetof(arguments, threads), NULL, "N",                                           \
            "CPU threads; 0: all processors (default)"                                                                 \
    }

/* Zeroed is empty. */
typedef struct ms_run_model {
    ms_config config;
    ms_tokenizer *tokenizer; /* NULL: the run has none */
    int32_t end_of_text;     /* id of the token that begins each document of its data; -1: none */
    ms_model_config model;
    ms_device *device;
    ms_init_from *source; /* of a Hugging Face folder's weights; NULL: a run */
} ms_run_model;

/* Reads what the run in `folder` is and opens a device: `device`, or the run's where it is NULL, with n_threads of the
   CPU (0: all processors).  The caller finishes *out, whose texts `folder` lends.  MS_NOT_FOUND: wants_tokenizer, and
   there is none, which the message says after `what`; MS_CORRUPT, MS_MISMATCH: not what belongs together; errors of
   ms_config_load_file and ms_device_open. */
ms_status ms_run_model_open(const ms_run_folder *folder, const char *what, bool wants_tokenizer, const char *device,
                            int64_t n_threads, ms_run_model *out);

/* Whether a path is a folder of a Hugging Face model: it has a config.json, and no config.yaml as a run has. */
bool ms_is_hf_folder(const char *path);

/* For a command of runs alone, `what`: MS_UNSUPPORTED for such a folder, with the commands that take one. */
ms_status ms_refuse_hf_folder(const char *path, const char *what);

/* The same as ms_run_model_open for such a folder, whose tensors must be those of its config.json.  end_of_text is its
   bos_token_id. sequence_length: tokens that are seen at once; 0: as many as it has positions (or a window), at most
   2048.  The device is the CPU where it is NULL.  Errors of ms_init_from_open, ms_init_from_resolve and
   ms_init_from_check. */
ms_status ms_hf_model_open(const char *path, int64_t sequence_length, const char *device, int64_t n_threads,
                           ms_run_model *out);
void ms_run_model_finish(ms_run_model *run);

#endif
