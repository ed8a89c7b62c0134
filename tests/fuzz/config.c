/* A configuration that is accepted is the same after it was written and read again. */
#include <stdlib.h>
#include <string.h>

#include "cli/config/config.h"
#include "cli/config/config_effect.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_config config, again;
    ms_config_defaults(&config);
    ms_status status = ms_config_load_text(&config, "input.yaml", (const char *)data, size_bytes);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    char *text;
    MS_FUZZ_CLAIM(ms_config_text(&config, &text) == MS_OK);
    ms_config_defaults(&again);
    MS_FUZZ_CLAIM(ms_config_load_text(&again, "again.yaml", text, strlen(text)) == MS_OK);
    const ms_config_key *different[1];
    MS_FUZZ_CLAIM(ms_config_difference(&config, &again, different, 1) == 0);
    free(text);
    if ((status = ms_config_check(&config)) != MS_OK) ms_fuzz_refused(status);
    ms_config_given given;
    for (int i = 0; i < MS_CONFIG_KEYS_MAX; i++) given.keys[i] = size_bytes % 3 > 0 || i % 2;
    status = ms_config_check_effect(&config, &given, &text);
    MS_FUZZ_CLAIM((status == MS_OK) == (text != NULL));
    if (status != MS_OK) ms_fuzz_refused(status);
    free(text);
    return 0;
}
