/* The model card (README.md) of an exported model: what it is, the run's figures, and how it was mapped. */
#ifndef MS_CLI_EXPORT_HF_CARD_H
#define MS_CLI_EXPORT_HF_CARD_H

#include "cli/config/config.h"
#include "model/checkpoint/checkpoint.h"
#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All borrowed. */
typedef struct ms_export_hf_card {
    const char *run; /* its folder */
    const ms_config *config;
    const ms_model_config *model;
    ms_dtype dtype; /* of the weights in the files */
    const ms_checkpoint *checkpoint;
    const char *end_of_text; /* the token before each document; NULL: none */
    int32_t tokenizer_ids;   /* 0: there is no tokenizer */
} ms_export_hf_card;

/* Its text, Markdown behind YAML; the caller frees it.  Losses are those of metrics.jsonl: of the checkpoint's step,
   and of the last validation up to it; one that is not there is left out.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_export_hf_card_text(const ms_export_hf_card *card, char **out);

#ifdef __cplusplus
}
#endif

#endif
