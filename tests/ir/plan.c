/* The memory plan against a replay with tags.  Every 2 bytes of memory hold a tag that says which tensor and which of
   its elements were written there; the replay executes a graph by the plan's places and, beside it, by its meaning, and
   compares the tags of every input of every node.  No assumption of the planner is used. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plan.h"
#include "backend/plan_pack.h"
#include "tests/ir/support.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { GRANULE = 2 };

typedef struct replay {
    const ms_graph *graph;
    const ms_plan *plan;
    size_t f32_bytes;
    uint64_t *arena;
    uint64_t **planned; /* [variables] tags by the plan */
    uint64_t **meant;   /* [variables] tags by the meaning of the graph */
    uint64_t **tensors; /* [tensors] tags that the tensor must have; NULL: not computed yet */
    char error[256];    /* first violation */
} replay;

static int64_t granules(const replay *r, ms_dtype dtype, const ms_shape *shape) {
    size_t bytes = dtype == MS_DTYPE_F32 ? r->f32_bytes : ms_dtype_size(dtype);
    return ms_shape_count(shape) * (int64_t)bytes / GRANULE;
}

static int64_t tensor_granules(const replay *r, ms_tensor tensor) {
    const ms_tensor_info *info = ms_graph_tensor(r->graph, tensor);
    return granules(r, info->dtype, &info->shape);
}

static void replay_init(replay *r, const ms_graph *graph, const ms_plan *plan, size_t f32_bytes) {
    memset(r, 0, sizeof *r);
    r->graph = graph;
    r->plan = plan;
    r->f32_bytes = f32_bytes;
    const ms_variables *variables = ms_graph_variables(graph);
    int n = ms_variables_count(variables);
    r->arena = calloc(plan->arena_bytes / GRANULE + 1, sizeof *r->arena);
    r->planned = calloc((size_t)n, sizeof *r->planned);
    r->meant = calloc((size_t)n, sizeof *r->meant);
    r->tensors = calloc((size_t)ms_graph_n_tensors(graph) + 1, sizeof *r->tensors);
    for (int v = 0; v < n; v++) {
        const ms_variable *variable = ms_variables_get(variables, v);
        int64_t count = granules(r, variable->dtype, &variable->shape);
        r->planned[v] = calloc((size_t)count, sizeof **r->planned);
        r->meant[v] = calloc((size_t)count, sizeof **r->meant);
        for (int64_t i = 0; i < count; i++) r->planned[v][i] = r->meant[v][i] = (uint64_t)(v + 1) << 56 | (uint64_t)i;
    }
}

static void replay_finish(replay *r) {
    for (int v = 0; v < ms_variables_count(ms_graph_variables(r->graph)); v++) {
        free(r->planned[v]);
        free(r->meant[v]);
    }
    for (int t = 0; t < ms_graph_n_tensors(r->graph); t++) free(r->tensors[t]);
    free(r->arena);
    free(r->planned);
    free(r->meant);
    free(r->tensors);
}

#define VIOLATION(r, ...)                                                                                              \
    do {                                                                                                               \
        if (!(r)->error[0]) snprintf((r)->error, sizeof(r)->error, __VA_ARGS__);                                       \
    } while (0)

static uint64_t *memory_of(replay *r, ms_tensor tensor) {
    ms_place place = r->plan->places[tensor];
    return (place.variable >= 0 ? r->planned[place.variable] : r->arena) + place.offset / GRANULE;
}

static uint64_t *meaning_of(replay *r, ms_tensor tensor) {
    const ms_tensor_info *info = ms_graph_tensor(r->graph, tensor);
    if (info->producer >= 0) return r->tensors[tensor];
    int64_t count = ms_shape_count(&info->shape);
    return r->meant[info->variable] + info->offset * (tensor_granules(r, tensor) / count);
}

static bool regions_overlap(const replay *r, ms_tensor a, ms_tensor b) {
    ms_place x = r->plan->places[a], y = r->plan->places[b];
    if (x.offset < 0 || y.offset < 0 || x.variable != y.variable) return false;
    return x.offset < y.offset + tensor_granules(r, b) * GRANULE &&
           y.offset < x.offset + tensor_granules(r, a) * GRANULE;
}

static void check_inside(replay *r, int i_node, ms_tensor tensor) {
    ms_place place = r->plan->places[tensor];
    const ms_tensor_info *info = ms_graph_tensor(r->graph, tensor);
    int64_t limit = (int64_t)r->plan->arena_bytes;
    if (place.variable >= 0) {
        const ms_variable *variable = ms_variables_get(ms_graph_variables(r->graph), place.variable);
        limit = granules(r, variable->dtype, &variable->shape) * GRANULE;
    } else if (info->producer >= 0 && place.offset % 64 != 0) {
        VIOLATION(r, "node %d: tensor %d at unaligned offset %lld", i_node, tensor, (long long)place.offset);
    }
    if (place.offset < 0 || place.offset + tensor_granules(r, tensor) * GRANULE > limit)
        VIOLATION(r, "node %d: tensor %d lies outside of its storage", i_node, tensor);
}

/* Outputs lie apart; an output over an input is that input exactly, by permission, and no other input is read there. */
static void check_node(replay *r, int i_node, const ms_node *node) {
    for (int k = 0; k < node->n_outputs; k++) {
        for (int other = k + 1; other < node->n_outputs; other++)
            if (regions_overlap(r, node->outputs[k], node->outputs[other]))
                VIOLATION(r, "node %d: outputs %d and %d overlap", i_node, k, other);
        int n_overlapping = 0;
        for (int i = 0; i < node->n_inputs; i++) {
            ms_tensor input = node->inputs[i];
            if (input == MS_NO_TENSOR || !regions_overlap(r, node->outputs[k], input)) continue;
            n_overlapping++;
            bool exact = r->plan->places[input].offset == r->plan->places[node->outputs[k]].offset &&
                         tensor_granules(r, input) == tensor_granules(r, node->outputs[k]);
            if (!exact || !ms_op_may_alias(node->op, k, i))
                VIOLATION(r, "node %d: output %d overlaps input %d", i_node, k, i);
        }
        if (n_overlapping > 1) VIOLATION(r, "node %d: output %d overlaps two inputs", i_node, k);
    }
}

static void check_input(replay *r, int i_node, ms_tensor input) {
    check_inside(r, i_node, input);
    if (r->error[0]) return;
    size_t bytes = (size_t)tensor_granules(r, input) * sizeof(uint64_t);
    if (memcmp(memory_of(r, input), meaning_of(r, input), bytes) != 0)
        VIOLATION(r, "node %d: input tensor %d was overwritten", i_node, input);
}

static void run_assign(replay *r, int i_node, const ms_node *node) {
    ms_tensor x = node->inputs[0], view = node->inputs[1];
    size_t bytes = (size_t)tensor_granules(r, x) * sizeof(uint64_t);
    check_input(r, i_node, x);
    check_inside(r, i_node, view);
    if (r->error[0]) return;
    memmove(meaning_of(r, view), meaning_of(r, x), bytes);
    memmove(memory_of(r, view), memory_of(r, x), bytes);
}

static void run_node(replay *r, int i_node, const ms_node *node) {
    for (int i = 0; i < node->n_inputs && !r->error[0]; i++)
        if (node->inputs[i] != MS_NO_TENSOR) check_input(r, i_node, node->inputs[i]);
    check_node(r, i_node, node);
    for (int k = 0; k < node->n_outputs && !r->error[0]; k++) {
        ms_tensor output = node->outputs[k];
        if (r->plan->places[output].offset < 0) continue; /* a later read of it is a violation */
        check_inside(r, i_node, output);
        if (r->error[0]) return;
        int64_t count = tensor_granules(r, output);
        r->tensors[output] = malloc((size_t)count * sizeof(uint64_t));
        for (int64_t i = 0; i < count; i++) r->tensors[output][i] = (uint64_t)(output + 1) << 24 | (uint64_t)i;
        if (node->op == MS_OP_RESHAPE)
            memcpy(r->tensors[output], meaning_of(r, node->inputs[0]), (size_t)count * sizeof(uint64_t));
    }
    for (int k = 0; k < node->n_outputs && !r->error[0]; k++)
        if (r->plan->places[node->outputs[k]].offset >= 0)
            memcpy(memory_of(r, node->outputs[k]), r->tensors[node->outputs[k]],
                   (size_t)tensor_granules(r, node->outputs[k]) * sizeof(uint64_t));
}

static void check_variables(replay *r, const char *when, int first, int end) {
    const ms_variables *variables = ms_graph_variables(r->graph);
    for (int v = first; v < end; v++) {
        const ms_variable *variable = ms_variables_get(variables, v);
        size_t bytes = (size_t)granules(r, variable->dtype, &variable->shape) * sizeof(uint64_t);
        if (memcmp(r->planned[v], r->meant[v], bytes) != 0) VIOLATION(r, "%s: %s is wrong", when, variable->name);
    }
}

/* Empty when the plan is right, else the first violation, in a static buffer. */
static const char *violation(const ms_graph *graph, const ms_plan *plan, size_t f32_bytes) {
    static char error[256];
    replay r;
    replay_init(&r, graph, plan, f32_bytes);
    int scalars = ms_graph_step_scalars(graph);
    for (int i = 0; i < ms_graph_n_nodes(graph) && !r.error[0]; i++) {
        const ms_node *node = ms_graph_node(graph, i);
        if (scalars >= 0) check_variables(&r, "before a node", scalars, scalars + 1);
        if (node->op == MS_OP_ASSIGN)
            run_assign(&r, i, node);
        else
            run_node(&r, i, node);
    }
    if (!r.error[0]) check_variables(&r, "after the run", 0, ms_variables_count(ms_graph_variables(graph)));
    memcpy(error, r.error, sizeof error);
    replay_finish(&r);
    return error;
}

static ms_plan make_plan(const ms_graph *graph, size_t f32_bytes, bool no_reuse) {
    ms_plan plan;
    ms_plan_options options = {.f32_bytes = f32_bytes, .alignment_bytes = 64, .no_reuse = no_reuse};
    CHECK_OK(ms_plan_init(graph, &options, &plan));
    return plan;
}

static void check_plan(const ms_graph *graph, const char *name, unsigned number) {
    for (int no_reuse = 0; no_reuse < 2; no_reuse++) {
        for (size_t f32_bytes = 4; f32_bytes <= 8; f32_bytes *= 2) {
            ms_plan plan = make_plan(graph, f32_bytes, no_reuse != 0);
            const char *error = violation(graph, &plan, f32_bytes);
            ck_assert_msg(!error[0], "%s %u, f32 of %zu bytes, no_reuse %d: %s", name, number, f32_bytes, no_reuse,
                          error);
            if (no_reuse) ck_assert_int_eq(plan.n_aliased, 0);
            ck_assert_uint_le(plan.live_bytes, plan.arena_bytes);
            ck_assert_int_le(plan.n_active + plan.n_placed, ms_graph_n_nodes(graph));
            ms_plan_finish(&plan);
        }
    }
}

START_TEST(random_graphs_are_safe) {
    int n_placed = 0, n_aliased = 0;
    for (unsigned seed = 1; seed <= 1500; seed++) {
        ms_variables *variables;
        ms_graph *graph, *finished;
        random_graph(seed, 10 + (int)(seed % 60), &variables, &graph);
        check_plan(graph, "random graph", seed);
        CHECK_OK(ms_graph_finish(graph, &finished));
        check_plan(finished, "finished random graph", seed);
        ms_plan plan = make_plan(finished, 4, false);
        n_placed += plan.n_placed;
        n_aliased += plan.n_aliased;
        ms_plan_finish(&plan);
        ms_graph_destroy(finished);
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
    ck_assert_int_gt(n_placed, 1500); /* the graphs exercise what they are for */
    ck_assert_int_gt(n_aliased, 1500);
}
END_TEST

/* Largest sum of bytes of storages in use at one node: no order of packing can be below it.  From the places alone: two
   tensors in one place are counted once. */
static int64_t live_bytes(const ms_graph *graph, const ms_plan *plan) {
    int n = ms_graph_n_tensors(graph), n_nodes = ms_graph_n_nodes(graph);
    int *last = calloc((size_t)n, sizeof *last);
    int64_t *bytes = calloc((size_t)n_nodes, sizeof *bytes), most = 0;
    for (int i = 0; i < n_nodes; i++)
        for (int k = 0; k < ms_graph_node(graph, i)->n_inputs; k++)
            if (ms_graph_node(graph, i)->inputs[k] >= 0) last[ms_graph_node(graph, i)->inputs[k]] = i;
    for (int i = 0; i < n_nodes; i++) {
        uint8_t *used = calloc(plan->arena_bytes / GRANULE + 1, sizeof *used);
        for (int t = 0; t < n; t++) {
            const ms_tensor_info *info = ms_graph_tensor(graph, t);
            ms_place place = plan->places[t];
            if (info->producer < 0 || place.variable >= 0 || place.offset < 0) continue;
            if (info->producer > i || last[t] < i) continue;
            size_t size = (size_t)ms_shape_count(&info->shape) * ms_dtype_size(info->dtype);
            memset(used + place.offset / GRANULE, 1, size / GRANULE);
        }
        for (size_t b = 0; b < plan->arena_bytes / GRANULE; b++) bytes[i] += GRANULE * used[b];
        if (bytes[i] > most) most = bytes[i];
        free(used);
    }
    free(last);
    free(bytes);
    return most;
}

START_TEST(training_step_is_safe_and_small) {
    for (int variant = 0; variant < 16; variant++) {
        step_options options = {.n_layers = 3,
                                .n_sequences = 2,
                                .sequence = 6,
                                .chunk = 5,
                                .recompute = (variant & 1) != 0,
                                .swiglu = (variant & 2) != 0,
                                .n_micro = variant & 4 ? 2 : 1,
                                .storage = variant & 8 ? MS_DTYPE_BF16 : MS_DTYPE_F32};
        step_graph step;
        step_build(&options, &step);
        ms_graph *finished;
        CHECK_OK(ms_graph_finish(step.graph, &finished));
        check_plan(finished, "training step", (unsigned)variant);
        ms_plan plan = make_plan(finished, 4, false), separate = make_plan(finished, 4, true);
        int64_t floor = live_bytes(finished, &plan);
        printf("training step %d: %d nodes, arena %zu, live %lld (factor %.3f), without reuse %zu, placed %d of %d, "
               "aliased %d\n",
               variant, ms_graph_n_nodes(finished), plan.arena_bytes, (long long)floor,
               (double)plan.arena_bytes / (double)floor, separate.arena_bytes, plan.n_placed,
               count_op(finished, MS_OP_ASSIGN), plan.n_aliased);
        ck_assert_msg((double)plan.arena_bytes <= 1.15 * (double)floor, "arena of %zu bytes for %lld live ones",
                      plan.arena_bytes, (long long)floor);
        ck_assert_int_eq((int64_t)plan.live_bytes, floor);
        ck_assert_uint_lt(plan.arena_bytes, separate.arena_bytes / 3);
        ms_plan_finish(&plan);
        ms_plan_finish(&separate);
        ms_graph_destroy(finished);
        step_finish(&step);
    }
}
END_TEST

/* ---- packing alone ---- */

START_TEST(packed_storages_lie_apart_and_close) {
    enum { N = 200 };
    static ms_plan_storage storages[N];
    static const int64_t pieces[] = {0, 6400, 25600}; /* the largest storage has 6400 bytes */
    double worst = 0;
    for (unsigned seed = 1; seed <= 90; seed++) {
        int64_t piece = pieces[seed % 3];
        uint64_t state = seed;
        int64_t live[N] = {0}, floor = 0, total;
        for (int i = 0; i < N; i++) {
            ms_congruential(&state);
            int from = (int)(state >> 40) % N, to = from + (int)(state >> 33 & 15);
            int64_t size = 64 * (1 + (int64_t)(state >> 50) % 100);
            storages[i] = (ms_plan_storage){i, from, to < N ? to : N - 1, size, -1};
            for (int t = from; t <= storages[i].to; t++) live[t] += size;
        }
        for (int t = 0; t < N; t++) floor = live[t] > floor ? live[t] : floor;
        CHECK_OK(ms_plan_pack(storages, N, piece, &total));
        for (int i = 0; i < N; i++) {
            const ms_plan_storage *a = &storages[i];
            ck_assert_int_ge(a->offset, 0);
            ck_assert_int_le(a->offset + a->size_bytes, total);
            if (piece) ck_assert_int_eq(a->offset / piece, (a->offset + a->size_bytes - 1) / piece);
            for (int j = 0; j < i; j++) {
                const ms_plan_storage *b = &storages[j];
                bool together = a->from <= b->to && b->from <= a->to;
                ck_assert(!together || a->offset >= b->offset + b->size_bytes ||
                          b->offset >= a->offset + a->size_bytes);
            }
        }
        if (!piece) worst = (double)total / (double)floor > worst ? (double)total / (double)floor : worst;
    }
    printf("packing 200 random storages: at worst %.3f of the live bytes\n", worst);
    ck_assert_double_lt(worst, 1.25);
}
END_TEST

/* The definition, in quadratic time: at each offset where something could end, the storage is tried. */
static int64_t lowest_of_all(const ms_plan_storage *storages, int n_placed, int64_t piece) {
    const ms_plan_storage *storage = &storages[n_placed];
    int64_t lowest = INT64_MAX;
    for (int i = -1; i < n_placed; i++) {
        int64_t offset = i < 0 ? 0 : storages[i].offset + storages[i].size_bytes;
        if (piece && offset % piece + storage->size_bytes > piece) offset += piece - offset % piece;
        bool fits = offset < lowest;
        for (int j = 0; fits && j < n_placed; j++) {
            const ms_plan_storage *other = &storages[j];
            fits = other->to < storage->from || other->from > storage->to ||
                   other->offset >= offset + storage->size_bytes || offset >= other->offset + other->size_bytes;
        }
        if (fits) lowest = offset;
    }
    return lowest;
}

/* Short lifetimes, those of a training step, which lie in each other, and any: each storage lies where the definition
   puts it, which the search only finds faster. */
START_TEST(packing_is_greedy_by_size) {
    enum { N = 150, N_TIMES = 400 };
    static ms_plan_storage storages[N];
    static const int64_t pieces[] = {0, 640, 1000};
    for (unsigned seed = 1; seed <= 90; seed++) {
        uint64_t state = seed;
        int64_t piece = pieces[seed % 3], total, end = 0;
        for (int i = 0; i < N; i++) {
            ms_congruential(&state);
            int from = (int)(state >> 40) % N_TIMES, kind = (int)(state >> 20 & 3), length = (int)(state >> 33) % 8;
            int to = kind < 2 ? from + length : kind == 2 ? N_TIMES - from : from + (int)(state >> 33) % N_TIMES;
            int64_t size = 64 * (1 + (int64_t)(state >> 50) % (seed % 2 ? 10 : 3));
            storages[i] = (ms_plan_storage){i, from < to ? from : to, from < to ? to : from, size, -1};
        }
        CHECK_OK(ms_plan_pack(storages, N, piece, &total));
        for (int i = 0; i < N; i++) {
            const ms_plan_storage *now = &storages[i];
            if (i > 0) ck_assert_int_le(now->size_bytes, now[-1].size_bytes);
            ck_assert_int_eq(now->offset, lowest_of_all(storages, i, piece));
            if (now->offset + now->size_bytes > end) end = now->offset + now->size_bytes;
        }
        ck_assert_int_eq(total, end);
    }
}
END_TEST

START_TEST(storage_larger_than_a_piece_is_refused) {
    ms_plan_storage storage = {0, 0, 0, 6464, -1};
    int64_t total;
    ck_assert_int_eq(ms_plan_pack(&storage, 1, 6400, &total), MS_OUT_OF_MEMORY);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "6464 bytes"));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "at most 6400"));
}
END_TEST

/* ---- single decisions ---- */

typedef struct small {
    ms_variables *variables;
    ms_graph *graph;
    int x, y; /* variables [2,4,4] and [4,4] */
} small;

static small small_create(void) {
    small s;
    CHECK_OK(ms_variables_create(&s.variables));
    CHECK_OK(ms_variables_add(s.variables, "x", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_3(2, 4, 4), &s.x));
    CHECK_OK(ms_variables_add(s.variables, "y", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_2(4, 4), &s.y));
    CHECK_OK(ms_graph_create(s.variables, -1, &s.graph));
    return s;
}

static void small_destroy(small *s) {
    ms_graph_destroy(s->graph);
    ms_variables_destroy(s->variables);
}

static bool same_place(const ms_plan *plan, ms_tensor a, ms_tensor b) {
    return plan->places[a].variable == plan->places[b].variable && plan->places[a].offset == plan->places[b].offset;
}

START_TEST(accumulation_ends_in_place) {
    small s = small_create();
    ms_tensor view = ms_view_slice(s.graph, s.x, 1), a = ms_view_all(s.graph, s.y);
    ms_tensor sum = ms_matmul(s.graph, a, a, view, &(ms_matmul_attributes){true, false, 1, 1, MS_DTYPE_F32});
    ms_assign(s.graph, sum, view);
    ms_tensor again = ms_matmul(s.graph, a, a, view, &(ms_matmul_attributes){false, false, 1, 1, MS_DTYPE_F32});
    ms_assign(s.graph, again, view);
    ms_plan plan = make_plan(s.graph, 4, false);
    ck_assert(same_place(&plan, sum, view) && same_place(&plan, again, view));
    ck_assert_int_eq(plan.places[view].variable, s.x);
    ck_assert_int_eq(plan.places[view].offset, 64);
    ck_assert_int_eq(plan.n_placed, 2);
    ck_assert_uint_eq(plan.arena_bytes, 0);
    ms_plan_finish(&plan);
    small_destroy(&s);
}
END_TEST

/* Tensors of 64 bytes.  `a` is computed in x, where the sum takes over from it.  Of the three others two are in use at
   each of the last two matmuls.  The reshape and the assignment cost nothing, five nodes compute. */
START_TEST(what_is_in_use_at_once) {
    small s = small_create();
    ms_tensor x = ms_view_slice(s.graph, s.x, 0), y = ms_view_all(s.graph, s.y);
    ms_tensor a = ms_relu2(s.graph, y),
              b = ms_matmul(s.graph, y, y, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    ms_tensor c = ms_matmul(s.graph, b, b, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    ms_tensor d = ms_matmul(s.graph, c, c, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    ms_tensor e = ms_reshape(s.graph, d, ms_shape_2(4, 4));
    ms_assign(s.graph, ms_axpby(s.graph, ms_constant(1), a, ms_constant(1), e), x);
    ms_plan plan = make_plan(s.graph, 4, false), separate = make_plan(s.graph, 4, true);
    ck_assert_uint_eq(plan.live_bytes, 2 * 64);
    ck_assert_uint_eq(plan.arena_bytes, 2 * 64);
    ck_assert_int_eq(plan.n_active, 5);
    ck_assert_int_eq(plan.n_placed, 1);
    ck_assert_uint_eq(separate.live_bytes, 6 * 64); /* with `a`, the reshape and the sum */
    ck_assert_int_eq(separate.n_active, 7);
    ms_plan_finish(&plan);
    ms_plan_finish(&separate);
    small_destroy(&s);
}
END_TEST

START_TEST(a_chain_grows_into_its_variable) {
    small s = small_create();
    ms_tensor view = ms_view_slice(s.graph, s.x, 0), a = ms_view_all(s.graph, s.y);
    ms_tensor base = ms_fill(s.graph, 0, MS_DTYPE_F32, ms_shape_2(4, 4)), chain = base;
    for (int i = 0; i < 4; i++) chain = ms_insert(s.graph, chain, ms_slice(s.graph, a, 3 - i, 1), i);
    ms_assign(s.graph, chain, view);
    ms_plan plan = make_plan(s.graph, 4, false);
    ck_assert(same_place(&plan, chain, view) && same_place(&plan, base, view));
    ck_assert_int_eq(plan.n_aliased, 4);
    ck_assert_uint_eq(plan.arena_bytes, 64); /* one slice */
    ms_plan_finish(&plan);
    small_destroy(&s);
}
END_TEST

START_TEST(a_read_in_between_forbids_the_place) {
    small s = small_create();
    ms_tensor view = ms_view_slice(s.graph, s.x, 0), part = ms_view(s.graph, s.x, 12, ms_shape_1(8));
    ms_tensor y = ms_relu2(s.graph, ms_view_all(s.graph, s.y));
    ms_assign(s.graph, ms_relu2(s.graph, part), ms_view(s.graph, s.x, 20, ms_shape_1(8))); /* reads 12..19 */
    ms_assign(s.graph, y, view);
    ms_plan plan = make_plan(s.graph, 4, false);
    ck_assert_int_eq(plan.places[y].variable, -1);
    ck_assert_str_eq(violation(s.graph, &plan, 4), "");
    ms_plan_finish(&plan);
    small_destroy(&s);
}
END_TEST

START_TEST(an_input_read_twice_is_not_overwritten) {
    small s = small_create();
    ms_tensor view = ms_view_all(s.graph, s.y);
    ms_tensor square = ms_mul(s.graph, view, view); /* mul may work in place, but not here */
    ms_assign(s.graph, square, view);
    ms_tensor t = ms_relu2(s.graph, view),
              product = ms_matmul(s.graph, t, view, t, &(ms_matmul_attributes){false, false, 1, 1, MS_DTYPE_F32});
    ms_assign(s.graph, product, ms_view_slice(s.graph, s.x, 0));
    ms_plan plan = make_plan(s.graph, 4, false);
    ck_assert_int_eq(plan.places[square].variable, -1);
    ck_assert(!same_place(&plan, product, t));
    ms_plan_finish(&plan);
    small_destroy(&s);
}
END_TEST

START_TEST(unused_outputs_have_no_storage) {
    small s = small_create();
    ms_tensor view = ms_view_all(s.graph, s.y), gate, up;
    ms_swiglu_grad(s.graph, view, view, view, &gate, &up);
    ms_assign(s.graph, up, view);
    ms_plan plan = make_plan(s.graph, 4, false);
    ck_assert_int_eq(plan.places[gate].offset, -1);
    ms_plan_finish(&plan);
    small_destroy(&s);
}
END_TEST

/* A coefficient reads the step scalars without an input that says so. */
START_TEST(step_scalars_are_not_written_early) {
    ms_variables *variables;
    ms_graph *graph;
    int scalars, x;
    CHECK_OK(ms_variables_create(&variables));
    CHECK_OK(ms_variables_add(variables, "scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(1), &scalars));
    CHECK_OK(ms_variables_add(variables, "x", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(1), &x));
    CHECK_OK(ms_graph_create(variables, scalars, &graph));
    ms_tensor view = ms_view_all(graph, x), next = ms_sum(graph, view);
    ms_tensor moved = ms_axpby(graph, ms_step_scalar(2, 0), view, ms_constant(0), MS_NO_TENSOR);
    ms_assign(graph, moved, view);
    ms_assign(graph, next, ms_view_all(graph, scalars));
    ms_plan plan = make_plan(graph, 4, false);
    ck_assert_int_eq(plan.places[next].variable, -1);
    ck_assert(same_place(&plan, moved, view));
    ck_assert_str_eq(violation(graph, &plan, 4), "");
    ms_plan_finish(&plan);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}
END_TEST

/* The replay finds faults: each planted one. */
START_TEST(planted_faults_are_found) {
    step_options options = {.n_layers = 2, .n_sequences = 1, .sequence = 4, .chunk = 4, .n_micro = 1};
    step_graph step;
    step_build(&options, &step);
    ms_graph *finished;
    CHECK_OK(ms_graph_finish(step.graph, &finished));
    ms_plan plan = make_plan(finished, 4, false);
    ck_assert_str_eq(violation(finished, &plan, 4), "");
    int n_found = 0, n_planted = 0;
    for (int t = 0; t < ms_graph_n_tensors(finished); t++) {
        ms_place kept = plan.places[t];
        if (ms_graph_tensor(finished, t)->producer < 0 || kept.variable >= 0 || kept.offset < 0) continue;
        n_planted++;
        plan.places[t].offset = (int64_t)plan.arena_bytes;
        n_found += violation(finished, &plan, 4)[0] != '\0';
        plan.places[t].offset = -1;
        n_found += violation(finished, &plan, 4)[0] != '\0';
        plan.places[t] = kept;
    }
    ck_assert_int_eq(n_found, 2 * n_planted);
    ms_tensor first = ms_graph_node(finished, 0)->outputs[0], second = ms_graph_node(finished, 1)->outputs[0];
    plan.places[second] = plan.places[first]; /* the residual stream and its norm, both read later */
    ck_assert_str_ne(violation(finished, &plan, 4), "");
    ms_plan_finish(&plan);
    ms_graph_destroy(finished);
    step_finish(&step);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/plan");
    TCase *tcase = tcase_create("plan");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, random_graphs_are_safe);
    tcase_add_test(tcase, training_step_is_safe_and_small);
    tcase_add_test(tcase, packed_storages_lie_apart_and_close);
    tcase_add_test(tcase, packing_is_greedy_by_size);
    tcase_add_test(tcase, storage_larger_than_a_piece_is_refused);
    tcase_add_test(tcase, accumulation_ends_in_place);
    tcase_add_test(tcase, what_is_in_use_at_once);
    tcase_add_test(tcase, a_chain_grows_into_its_variable);
    tcase_add_test(tcase, a_read_in_between_forbids_the_place);
    tcase_add_test(tcase, an_input_read_twice_is_not_overwritten);
    tcase_add_test(tcase, unused_outputs_have_no_storage);
    tcase_add_test(tcase, step_scalars_are_not_written_early);
    tcase_add_test(tcase, planted_faults_are_found);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
