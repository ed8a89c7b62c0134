/* A training run in its folder: data, trainer, tracker, logs and checkpoints tied together.  One thread.

       ms_run_open(device, &options, &run);     data, graphs and plan: nothing is written, no device memory is taken
       ms_run_create(run, "runs/first");        or ms_run_folder_resume and ms_run_resume
       ms_run_train(run);
       ms_run_sample(run, stdout);
       ms_run_close(run); */
#ifndef MS_TRAIN_RUN_H
#define MS_TRAIN_RUN_H

#include "train/probe.h"
#include "train/run_folder.h"
#include "train/samples.h"
#include "train/tracking.h"
#include "train/trainer.h"
#include "model/data/tokenizer.h"
#include "platform/log.h"
#include "tracker/run_log.h"
#include "tracker/watch.h"

/* Texts are borrowed for the run's life. */
typedef struct ms_run_options {
    ms_trainer_options trainer;   /* model.vocabulary 0: the data's; schedule.total_steps 0: n_steps */
    int64_t n_steps;              /* of the whole run, >= 1 */
    ms_weight_source initial;     /* fill NULL: initial weights are drawn */
    const char *initial_name;     /* of that source, for people; NULL where there is none */
    const char *data;             /* folder made by `muonscope data prepare`; "synthetic": the built-in generator */
    int64_t validation_every;     /* steps between validations; 0: none */
    int64_t validation_sequences; /* of one validation */
    int64_t checkpoint_every;     /* steps between checkpoints, beside the first and the last; 0: only those */
    int32_t checkpoints_kept;     /* the newest; 0: all */
    int64_t hash_every;           /* steps between lines of hashes.jsonl, beside steps 0, 1 and the last; 0: none */
    int64_t tracker_every;        /* steps between snapshots of the weights; 0: no spectra */
    ms_tracking_options tracking; /* full_folder: the run's own */
    ms_spectra_kept spectra;      /* of a snapshot */
    /* Activations of a few sequences of the validation split, with the snapshots of the weights (train/probe.h).  Sizes
       of 0: MS_PROBE_SEQUENCES and MS_PROBE_TOKENS, or all that there are. */
    bool probe;
    int32_t probe_sequences, probe_tokens;
    ms_sample_request sample; /* what ms_run_sample writes; n_tokens 0: nothing */
    int64_t log_every;      /* steps between lines on stdout and in run.log, where validations have one each; 0: none of
                               either, and no peak is measured */
    ms_log_level log_level; /* the least that goes to stderr */
    /* Becomes config.yaml of a new run; NULL: empty, and `muonscope generate` and --resume cannot know the model. */
    const char *config_text;
    /* What must not change when the run is resumed, in any form: its hash, with the size of the vocabulary, is part of
       each checkpoint.  NULL: empty. */
    const char *fixed_text;
    /* All settings, "section.key=value" a line: part of each checkpoint, so that a resumed run can say what was changed
       and keep it.  NULL: empty, nothing is said. */
    const char *settings_text;
} ms_run_options;

/* To be read; written by the functions below. */
typedef struct ms_run {
    ms_run_options options; /* with the vocabulary and the schedule's length filled in */
    ms_device *device;      /* borrowed */
    ms_run_folder folder;
    bool has_folder;
    ms_logger *logger;
    ms_dataset *train, *validation; /* validation NULL: switched off */
    ms_tokenizer *tokenizer;        /* NULL: the data has none */
    int32_t end_of_text;            /* id of the token that ends a text; -1: none */
    ms_trainer *trainer;
    ms_tracking *tracking;  /* NULL: switched off */
    ms_probe *probe;        /* NULL: switched off */
    ms_dataset *probe_data; /* the validation split once more; NULL: switched off */
    ms_run_log *metrics;
    ms_run_log *hashes;                           /* NULL: switched off */
    ms_watch *watch;                              /* warns of what the lines show; NULL: no log is open yet */
    int64_t resumed_step;                         /* -1: a new run */
    bool begins_again;                            /* resumed before its first checkpoint */
    int n_later;                                  /* checkpoints after the one it was resumed at, before they went */
    bool left_alone;                              /* resumed at an older checkpoint with no step to make */
    int64_t saved_step;                           /* of the last checkpoint; -1: none yet */
    double peak_flops;                            /* of matmuls, measured at the start, FLOP/s; 0: not measured */
    char peak_note[200];                          /* why it was not */
    int n_peaks_again;                            /* times that it was measured again in mid-run */
    char config_hash[65];                         /* of what must not change */
    char train_sha256[65], validation_sha256[65]; /* identities of the data (ms_dataset_contents); "": none */
    char *history;                             /* what was changed at resumptions (train/settings.h); NULL: nothing */
    char data_note[200];                       /* what their check found and took */
    uint8_t *deciles;                          /* of each token by its frequency in training (train/frequency.h) */
    char deciles_note[200];                    /* what counting took */
    char weights_sha256[65], state_sha256[65]; /* of the last checkpoint */
    double last_loss, last_validation;         /* NAN: none yet, and no loss under MS_CONTROL_NOISE */
    bool stopped;                              /* by a signal, with everything saved */
    bool validation_cut;                       /* the last validation was ended by a signal, and has no line */
    bool finished;                             /* the last step is made, validated where that is due, and saved */
    int n_choices;                             /* of the device, in run.log so far */
} ms_run;

/* Opens data and trainer and plans memory on an open device, but touches no folder and allocates no device memory: all
   that --dry-run needs.  The caller closes the run, before the device.  MS_INVALID: options.  MS_MISMATCH: the data's
   tokenizer is not the one of its shards.  Errors of ms_dataset_open, ms_tokenizer_open and ms_trainer_open. */
ms_status ms_run_open(ms_device *device, const ms_run_options *options, ms_run **out);
/* A run that was interrupted is left as its last checkpoint has it.  NULL is fine. */
void ms_run_close(ms_run *run);

/* The device of a run, its numerics, and its threads or its description and UUID, on one line. */
void ms_run_device(const ms_run *run, char *out, size_t size);
/* Warns of settings that fit together badly, but can be trained with: a warm-up that is longer than the run, one that
   takes steps from wsd's decay, a vocabulary with more ids than the tokenizer has tokens.  ms_run_create and
   ms_run_resume do so themselves. */
void ms_run_warn_of_settings(ms_run *run);
/* Prints the start-up table. */
void ms_run_print(const ms_run *run, FILE *stream);

/* Starts a new run in the folder `path`: checks the data's contents, measures the peak, allocates the trainer, makes
   the folder and the initial weights.  Where that fails, and where ms_run_train fails before its first checkpoint, the
   folder goes again.  Errors of ms_run_folder_create, which come before the memory is taken where the
   folder exists, of ms_dataset_check_contents, and of ms_trainer_allocate. */
ms_status ms_run_create(ms_run *run, const char *path);
/* Goes on with the run in an open folder, which the run takes over, from its newest checkpoint; from the start where it
   was killed before the first.  Options that differ from the checkpoint's are the run's from here on: config.yaml,
   run.log and the next checkpoints have them.  Logs are cut to the checkpoint's step and mended; what was lost is said.
   MS_MISMATCH: options that may not change, tokenizer or contents of the data are not those of the checkpoint.
   MS_CORRUPT: the checkpoint is damaged; names the newest intact one.  MS_NOT_FOUND: there is none although the run
   made steps.  Errors of ms_dataset_check_contents and ms_trainer_allocate. */
ms_status ms_run_resume(ms_run *run, ms_run_folder *folder);
/* The same from the checkpoint of a step; -1: the newest.  Later checkpoints are removed when all else is known to be
   possible, before anything else in the folder changes: a process that is killed then leaves a run of that step.  Where
   options.n_steps are made by that step and there are later checkpoints, nothing in the folder changes but run.log. */
ms_status ms_run_resume_at(ms_run *run, ms_run_folder *folder, int64_t step);

/* What every rank but 0 does with an opened run whose options.trainer has a group: no folder is made, and rank 0 is
   followed until it ends.  Returns how it ended: rank 0 says why. */
ms_status ms_run_follow(ms_run *run);

/* Trains to the last step.  Validates, saves and tracks as the options say.  MS_INTERRUPTED: a signal of
   platform/signals.h, which are caught meanwhile, came: the step or the batch of a validation was finished, everything
   is saved, and a validation that was cut short is made by the resumed run.  A signal that comes when the run is
   finished changes nothing. */
ms_status ms_run_train(ms_run *run);

/* Text that follows the prompt, drawn with the weights of the last checkpoint, to `stream` after a heading, and, when
   it is whole, to samples.txt; nothing without a tokenizer, and nothing of a control.  Takes the place of the trainer
   on the device: its memory is given back first, and no step can follow. MS_INTERRUPTED: a signal came that the caller
   catches (ms_signals_catch). */
ms_status ms_run_sample(ms_run *run, FILE *stream);

#endif
