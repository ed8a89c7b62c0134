/* All logits that a model gives a text. */
#ifndef MS_TESTS_SUPPORT_LOGITS_H
#define MS_TESTS_SUPPORT_LOGITS_H

#include "backend/backend.h"
#include "model/checkpoint/safetensors.h"
#include "model/model.h"

/* f32 logits [n, V] of n tokens, with the weights of a checkpoint's model.safetensors; the caller frees them.  An error
   fails the test. */
float *ms_test_logits(ms_device *device, const ms_model_config *config, const ms_safetensors *weights,
                      const int32_t *tokens, int n);

#endif
