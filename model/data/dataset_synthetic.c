#include "model/data/dataset_synthetic.h"

#include "model/data/bpe_table.h"

enum { SUCCESSORS = 4 };

/* One of the tokens that can follow `token`. */
static int32_t successor(int32_t token, unsigned i, int vocab_size) {
    return (int32_t)(ms_bpe_mix((uint64_t)token * SUCCESSORS + i) % (uint64_t)vocab_size);
}

void ms_dataset_synthetic(uint64_t seed, int split, uint64_t i_sequence, int vocab_size, int n, int32_t *out_tokens) {
    uint64_t state = ms_bpe_mix(ms_bpe_mix(ms_bpe_mix(seed) + (uint64_t)split) + i_sequence);
    int32_t token = (int32_t)(state % (uint64_t)vocab_size);
    for (int i = 0; i < n; i++) {
        out_tokens[i] = token;
        state = ms_bpe_mix(state + (uint64_t)i);
        /* Three bits choose: 0-3, 4-5, 6, 7. */
        static const unsigned choice[8] = {0, 0, 0, 0, 1, 1, 2, 3};
        token = successor(token, choice[state >> 61], vocab_size);
    }
}
