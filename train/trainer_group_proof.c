/* Whether the devices of all ranks compute the same bits. */
#include <string.h>

#include "platform/random.h"
#include "platform/sha256.h"
#include "train/trainer_group.h"

/* Tokens that are the same on all ranks, whatever their data. */
static void draw_tokens(ms_trainer *trainer) {
    int64_t n = (int64_t)trainer->options.batch_sequences * trainer->options.model.sequence_length;
    uint32_t vocabulary = (uint32_t)trainer->options.model.vocabulary;
    for (int64_t i = 0; i < n; i++) {
        trainer->token_buffer[i] = (int32_t)(ms_random_word(1, 0, (uint64_t)i) % vocabulary);
        trainer->target_buffer[i] = (int32_t)(ms_random_word(1, 1, (uint64_t)i) % vocabulary);
    }
}

static ms_status hash_gradients(ms_trainer *trainer, char out[65]) {
    const ms_trainer_shared *shared = trainer->shared;
    double loss;
    draw_tokens(trainer);
    MS_TRY(ms_trainer_run_batch(trainer, (ms_batch_source){.next = NULL}, false, trainer->first, NULL, &loss));
    MS_TRY(ms_trainer_download_gradients(trainer, shared->flat));
    return ms_sha256_bytes(shared->flat, (size_t)shared->n_elements * sizeof *shared->flat, out);
}

ms_status ms_trainer_shared_prove(ms_trainer *trainer) {
    ms_group *group = trainer->shared->group;
    char own[65] = "", leader[65];
    if (trainer->numerics != MS_NUMERICS_EXACT || trainer->options.control == MS_CONTROL_NOISE) return MS_OK;
    MS_TRY_NOTE(ms_group_agree(group, hash_gradients(trainer, own)), "comparing devices");
    memcpy(leader, own, sizeof leader);
    MS_TRY(ms_group_broadcast(group, leader, sizeof leader));
    ms_status status = MS_OK;
    if (strcmp(own, leader) != 0)
        status = MS_FAIL(MS_MISMATCH,
                         "of one micro-step of the same tokens, device %s has gradients %.12s..., that of rank 0 "
                         "%.12s...: one of them computes wrong in exact, see muonscope verify on each host",
                         ms_device_get_info(trainer->device)->name, own, leader);
    return ms_group_agree(group, status);
}
