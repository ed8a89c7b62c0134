#include "backend/vulkan/ops/attention_tile.h"

#include <math.h>

#include "backend/exact_constants.h"
#include "backend/vulkan/ops/attention_plan.h"

enum { INVOCATIONS = 128, ROWS = 64, MOST_NUMBERS = 128 }; /* of a workgroup; of a result's row there */

ms_vulkan_dispatch ms_vulkan_attention_tile_dispatch(const ms_vulkan_call *call, const char *shader) {
    const ms_attention_attributes *a = &call->attributes->attention;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, INVOCATIONS, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_attention_vector(call));
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)a->head_size);
    /* `fast` asks for no order of sums, and saves the registers of a second sum. */
    ms_vulkan_constant_u32(&dispatch, call->limits->numerics == MS_NUMERICS_EXACT && a->sequence > MS_DEPTH_CHUNK);
    ms_vulkan_constant_u32(&dispatch, a->sequence > MS_REDUCE_BLOCK);
    return dispatch;
}

/* Workgroups are numbered as find_place of attention_tile.glsl reads them: all sets of a tile, then the next tile. */
typedef struct tile_grid {
    const ms_attention_attributes *a;
    int products;
    int64_t n_sets, n_groups; /* sets: parts of rows of all heads of all sequences */
} tile_grid;

/* Those that walk longest come first, over keys and over queries. */
static double group_flops(const tile_grid *grid, int64_t group) {
    int64_t n_tiles = grid->n_groups / grid->n_sets, walked = (n_tiles - group / grid->n_sets) * ROWS;
    return 2.0 * grid->products * grid->a->head_size * ROWS * (double)walked;
}

/* The workgroup before which a dispatch that begins with `first` must end, and what it costs. */
static int64_t end_of_dispatch(const tile_grid *grid, int64_t first, double most, double *out_flops) {
    int64_t end = first;
    *out_flops = 0;
    while (end < grid->n_groups) {
        double each = group_flops(grid, end);
        int64_t n = grid->n_sets - end % grid->n_sets; /* left of this tile of rows */
        double room = floor((most - *out_flops) / each);
        if (room < (double)n) n = room > 0 ? (int64_t)room : 0;
        if (n == 0 && end == first) n = 1;
        if (n == 0) break;
        end += n;
        *out_flops += each * (double)n;
    }
    return end;
}

ms_status ms_vulkan_emit_attention_tiles(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int products) {
    const ms_attention_attributes *a = &call->attributes->attention;
    MS_TRY(ms_vulkan_attention_check(call));
    int64_t parts = (a->head_size + MOST_NUMBERS - 1) / MOST_NUMBERS, n_tiles = (a->sequence + ROWS - 1) / ROWS;
    tile_grid grid = {.a = a, .products = products, .n_sets = (int64_t)a->batch * a->heads * parts};
    grid.n_groups = grid.n_sets * n_tiles;
    for (int64_t first = 0; first < grid.n_groups;) {
        ms_vulkan_dispatch part = *dispatch;
        int64_t end = end_of_dispatch(&grid, first, call->limits->part_flops, &part.flops);
        ms_vulkan_push_u32(&part, (uint32_t)first);
        ms_vulkan_push_u32(&part, (uint32_t)end);
        ms_vulkan_push_u32(&part, (uint32_t)grid.n_sets);
        ms_vulkan_push_u32(&part, (uint32_t)n_tiles);
        ms_vulkan_push_u32(&part, (uint32_t)a->sequence);
        ms_vulkan_push_u32(&part, (uint32_t)a->heads);
        ms_vulkan_push_u32(&part, (uint32_t)a->kv_heads);
        ms_vulkan_push_f32(&part, a->scale);
        MS_TRY(ms_vulkan_emit_linear(call->encoder, &part, end - first));
        first = end;
    }
    return MS_OK;
}
