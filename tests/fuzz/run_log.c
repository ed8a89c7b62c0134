/* The log of a run that is resumed: what is kept can be opened again. */
#include "tracker/run_log.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    if (size_bytes == 0) return 0;
    const char *path = ms_fuzz_file("metrics.jsonl", data + 1, size_bytes - 1);
    ms_run_log *log;
    ms_status status = ms_run_log_open(path, data[0], NULL, &log);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    json_t *line = json_pack("{s:i, s:i}", "step", 1, "x", 0);
    MS_FUZZ_CLAIM(ms_run_log_append(log, line) == MS_OK);
    json_decref(line);
    MS_FUZZ_CLAIM(ms_run_log_close(log) == MS_OK);
    MS_FUZZ_CLAIM(ms_run_log_open(path, data[0] > 1 ? data[0] : 1, NULL, &log) == MS_OK);
    MS_FUZZ_CLAIM(ms_run_log_close(log) == MS_OK);
    /* What was mended needs no mending. */
    MS_FUZZ_CLAIM(ms_run_log_open(path, data[0] > 1 ? data[0] : 1, NULL, &log) == MS_OK);
    const ms_run_log_mending *mending = ms_run_log_get_mending(log);
    MS_FUZZ_CLAIM(mending->n_bad == 0 && mending->n_repeated == 0 && mending->n_back == 0);
    MS_FUZZ_CLAIM(ms_run_log_close(log) == MS_OK);
    return 0;
}
