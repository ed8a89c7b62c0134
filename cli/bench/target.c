#include "cli/bench/target.h"

#include <stdio.h>
#include <string.h>

#include "cli/options/suggest.h"

static const ms_bench_target targets[] = {
#define TARGET(name, description, backend, f32, tf32, bf16, bandwidth, memory, multiprocessors, threads, clock,        \
               warp_matrices, source)                                                                                  \
    {#name,   description, MS_TARGET_##backend, f32,   tf32, bf16, bandwidth, memory, multiprocessors,                 \
     threads, clock,       warp_matrices,       source},
#include "cli/bench/targets.def"
#undef TARGET
};
enum { N_TARGETS = sizeof targets / sizeof *targets };

ms_status ms_bench_target_find(const char *name, const ms_bench_target **out) {
    *out = NULL;
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    char known[400] = "";
    for (int i = 0; i < N_TARGETS; i++) {
        if (ms_edit_distance(name, targets[i].name) == 0) *out = &targets[i];
        ms_suggestion_offer(&suggestion, targets[i].name);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", targets[i].name);
    }
    if (*out) return MS_OK;
    const char *best = ms_suggestion_best(&suggestion);
    if (!*name) return MS_FAIL(MS_USAGE, "a name is needed; known: %s", known);
    if (!best) return MS_FAIL(MS_USAGE, "unknown target '%s'; known: %s", name, known);
    return MS_FAIL(MS_USAGE, "unknown target '%s'; did you mean '%s'? Known: %s", name, best, known);
}
