#include "train/weight_hashes.h"

#include "model/checkpoint/checkpoint.h"
#include "model/checkpoint/named_tensors.h"
#include "platform/json.h"

static const char what[] = "hashes.jsonl";

static ms_status add_hashes(const ms_named_tensors *weights, json_t *line) {
    json_t *hashes = json_object();
    MS_TRY(ms_json_set(line, what, "sha256", hashes));
    for (size_t i = 0; i < weights->n_tensors; i++) {
        char hash[65];
        MS_TRY(ms_tensors_sha256(&weights->tensors[i], 1, hash));
        MS_TRY(ms_json_set_text(hashes, what, weights->tensors[i].name, hash));
    }
    return MS_OK;
}

ms_status ms_weight_hashes_append(ms_trainer *trainer, ms_run_log *log) {
    if (trainer->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "hashes: the f64 oracle's weights are not hashed");
    ms_named_tensors weights = {0};
    json_t *line = NULL;
    ms_status status = ms_json_pack(&line, what, "{s:I, s:I}", "step", (json_int_t)trainer->step, "tokens",
                                    (json_int_t)trainer->tokens_seen);
    if (status == MS_OK)
        status = ms_named_tensors_download(trainer->store, trainer->variables, MS_VARIABLE_PARAMETER, &weights);
    if (status == MS_OK) status = add_hashes(&weights, line);
    if (status == MS_OK) status = ms_run_log_append(log, line);
    json_decref(line);
    ms_named_tensors_finish(&weights);
    return status;
}
