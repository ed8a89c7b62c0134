/* Not a reader: faults that the harness must find.  The overflow stands behind four letters, each a branch, as
   libFuzzer follows them; the others behind a byte that is not ASCII, so that a search in ASCII does not meet them. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

static void overflow(const uint8_t *data, size_t size_bytes) {
    volatile uint8_t *copy = malloc(4);
    MS_FUZZ_CLAIM(copy);
    for (size_t i = 0; i < size_bytes; i++) copy[i] = data[i];
    free((void *)copy);
}

static void grow(void) {
    for (int i = 0; i < 1024; i++) {
        volatile char *block = malloc((size_t)1 << 20);
        MS_FUZZ_CLAIM(block);
        for (size_t j = 0; j < (size_t)1 << 20; j += 4096) block[j] = 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    volatile int large = 2147483647;
    if (size_bytes > 4 && data[0] == 'F')
        if (data[1] == 'U')
            if (data[2] == 'Z')
                if (data[3] == 'Z') overflow(data, size_bytes);
    if (size_bytes != 2 || data[0] != 0xff) return 0;
    MS_FUZZ_CLAIM(data[1] != 'c');
    if (data[1] == 'i') large += data[1];
    if (data[1] == 'h')
        while (large) continue;
    if (data[1] == 'm') grow();
    return 0;
}
