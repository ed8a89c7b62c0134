/* hashes.jsonl of a run: the SHA-256 of every weight at a cadence, by which `muonscope compare` finds the step and the
   tensor where two runs part. */
#ifndef MS_TRAIN_WEIGHT_HASHES_H
#define MS_TRAIN_WEIGHT_HASHES_H

#include "tracker/run_log.h"
#include "train/trainer.h"

/* Appends {"step":..., "tokens":..., "sha256": {NAME: HASH, ...}}, the weights as they are now, names as in
   model.safetensors: of a tensor the hash that ms_tensors_sha256 gives of it alone (name, type, shape, bytes).
   Downloads the weights; nothing is changed.  MS_UNSUPPORTED: the f64 oracle.  Errors of ms_run_log_append;
   MS_OUT_OF_MEMORY. */
ms_status ms_weight_hashes_append(ms_trainer *trainer, ms_run_log *log);

#endif
