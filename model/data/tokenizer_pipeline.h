/* Normalizers and pre-tokenizers of tokenizer.json, in and out.  What would change ids and is not understood is refused
   by name. */
#ifndef MS_MODEL_DATA_TOKENIZER_PIPELINE_H
#define MS_MODEL_DATA_TOKENIZER_PIPELINE_H

#include <jansson.h>

#include "model/data/tokenizer_impl.h"

/* The value of "type", or "(no type)".  Borrowed from the object. */
const char *ms_json_type(const json_t *object);

/* Reads "normalizer", "pre_tokenizer" and the options of "model" from the whole file; the caller finishes *out.
   MS_CORRUPT: a step without what it needs; MS_UNSUPPORTED names a step or an option; MS_OUT_OF_MEMORY. */
ms_status ms_pipeline_read(const json_t *root, ms_pipeline *out);

/* New values for the two keys, which Hugging Face tokenizers read; NULL when out of memory. */
json_t *ms_pipeline_normalizer(const ms_pipeline *pipeline);
json_t *ms_pipeline_pre_tokenizer(const ms_pipeline *pipeline);

/* ByteLevel, with all its options. */
json_t *ms_json_byte_level(bool prefix_space, bool use_regex);

#endif
