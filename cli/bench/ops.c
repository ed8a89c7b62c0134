#include "cli/bench/ops.h"

#include <stdlib.h>

#include "backend/cpu/cpu_sgemm.h"
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "cli/bench/floor.h"
#include "cli/bench/meter.h"
#include "platform/bf16.h"
#include "platform/output.h"
#include "train/zipf.h"

/* One row of the table, in f32 or, of what training has in its storage, in bf16. */
typedef struct bench_case {
    const char *name;
    ms_op op;
    int64_t batch, m, n, k;        /* matmul [m,k] [k,n]; gram, norm, losses: batch matrices [m, n] */
    bool transpose_a, transpose_b; /* matmul, gram (a) */
    ms_attention_attributes attention;
} bench_case;

#define MATMUL(name, m, n, k, ta, tb)                                                                                  \
    {                                                                                                                  \
        name, MS_OP_MATMUL, 1, m, n, k, ta, tb, { 0, 0, 0, 0, 0, 0 }                                                   \
    }
#define ROWS(name, op, batch, m, n)                                                                                    \
    {                                                                                                                  \
        name, op, batch, m, n, 0, false, false, { 0, 0, 0, 0, 0, 0 }                                                   \
    }
#define ATTENTION(name, op, b, t, h, g, d)                                                                             \
    {                                                                                                                  \
        name, op, 1, 0, 0, 0, false, false, { b, t, h, g, d, 0.125f }                                                  \
    }
static const bench_case table[] = {
    MATMUL("square 512", 512, 512, 512, false, false),
    MATMUL("square", 1024, 1024, 1024, false, false),
    MATMUL("forward qkvo", 4096, 1536, 512, false, true),
    MATMUL("forward up", 4096, 2048, 512, false, true),
    MATMUL("forward down", 4096, 512, 2048, false, true),
    MATMUL("backward dx", 4096, 512, 2048, false, false),
    MATMUL("backward dW", 2048, 512, 4096, true, false),
    MATMUL("logits", 1024, 8192, 512, false, true),
    MATMUL("decode", 1, 2048, 512, false, true),
    ROWS("8 x [512,2048]", MS_OP_GRAM, 8, 512, 2048),
    ATTENTION("B4 T512 H8/4 D64", MS_OP_ATTENTION, 4, 512, 8, 4, 64),
    ATTENTION("B4 T512 H8/4 D64", MS_OP_ATTENTION_GRAD, 4, 512, 8, 4, 64),
    ATTENTION("B1 T2048 H8/4 D64", MS_OP_ATTENTION, 1, 2048, 8, 4, 64),
    ATTENTION("B1 T2048 H8/4 D64", MS_OP_ATTENTION_GRAD, 1, 2048, 8, 4, 64),
    ROWS("[8192,512]", MS_OP_RMS_NORM, 1, 8192, 512),
    ROWS("8192 to [8192,512]", MS_OP_EMBED_GRAD, 1, 8192, 512),
    ROWS("[1024,8192]", MS_OP_CROSS_ENTROPY, 1, 1024, 8192),
    ROWS("[2048,2048]", MS_OP_ADAMW, 1, 2048, 2048),
};

/* A graph under construction; each input and each output is a variable of its own. */
typedef struct bench_graph {
    ms_variables *variables;
    ms_graph *graph;
    ms_dtype dtype;   /* of data */
    ms_status status; /* first failure */
} bench_graph;

static int add_variable(bench_graph *b, ms_variable_kind kind, ms_dtype dtype, ms_shape shape) {
    char name[24];
    int index = -1;
    snprintf(name, sizeof name, "%d", ms_variables_count(b->variables));
    ms_status status = ms_variables_add(b->variables, name, kind, dtype, shape, &index);
    if (b->status == MS_OK) b->status = status;
    return index;
}

static ms_tensor input(bench_graph *b, ms_dtype dtype, ms_shape shape) {
    int index = add_variable(b, MS_VARIABLE_INPUT, dtype, shape);
    return index < 0 ? MS_NO_TENSOR : ms_view_all(b->graph, index);
}

static ms_tensor data_input(bench_graph *b, ms_shape shape) { return input(b, b->dtype, shape); }
static ms_tensor real_input(bench_graph *b, ms_shape shape) { return input(b, MS_DTYPE_F32, shape); }

static void output(bench_graph *b, ms_tensor x) {
    if (x == MS_NO_TENSOR) return;
    ms_tensor_info info = *ms_graph_tensor(b->graph, x);
    int index = add_variable(b, MS_VARIABLE_OUTPUT, info.dtype, info.shape);
    if (index >= 0) ms_assign(b->graph, x, ms_view_all(b->graph, index));
}

static void add_attention(bench_graph *b, const bench_case *c) {
    const ms_attention_attributes *a = &c->attention;
    int64_t n = (int64_t)a->batch * a->sequence;
    ms_shape q = ms_shape_2(n, (int64_t)a->heads * a->head_size),
             k = ms_shape_2(n, (int64_t)a->kv_heads * a->head_size);
    ms_tensor in[6] = {data_input(b, q), data_input(b, k), data_input(b, k)}, out[3];
    if (c->op == MS_OP_ATTENTION) {
        ms_attention(b->graph, (const ms_tensor[]){in[0], in[1], in[2]}, a, &out[0], &out[1]);
        output(b, out[0]);
        output(b, out[1]);
        return;
    }
    in[3] = data_input(b, q);
    in[4] = real_input(b, ms_shape_2((int64_t)a->batch * a->heads, a->sequence));
    in[5] = data_input(b, q);
    ms_attention_grad(b->graph, in, a, out);
    for (int i = 0; i < 3; i++) output(b, out[i]);
}

static void add_rows(bench_graph *b, const bench_case *c) {
    ms_shape shape = ms_shape_2(c->m, c->n);
    ms_tensor x = data_input(b, c->batch > 1 ? ms_shape_3(c->batch, c->m, c->n) : shape), out[3] = {x, x, x};
    if (c->op == MS_OP_GRAM) {
        output(b, ms_gram(b->graph, x, c->transpose_a));
    } else if (c->op == MS_OP_RMS_NORM) {
        ms_rms_norm(b->graph, x, real_input(b, ms_shape_1(c->n)), 1e-6f, &out[0], &out[1]);
        output(b, out[0]);
        output(b, out[1]);
    } else if (c->op == MS_OP_EMBED_GRAD) {
        ms_tensor index = input(b, MS_DTYPE_I32, ms_shape_1(c->m));
        output(b, ms_embed_grad(b->graph, index, x, MS_NO_TENSOR, c->m, 1));
    } else if (c->op == MS_OP_CROSS_ENTROPY) {
        ms_cross_entropy(b->graph, x, input(b, MS_DTYPE_I32, ms_shape_1(c->m)),
                         &(ms_cross_entropy_attributes){1, MS_DTYPE_F32}, &out[0], &out[1]);
        output(b, out[0]);
        output(b, out[1]);
    } else {
        ms_adamw_attributes attributes = {.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = 0.1f};
        attributes.lr = ms_constant(1e-3f);
        attributes.inverse_bias1 = attributes.inverse_bias2 = ms_constant(1);
        ms_tensor in[5] = {x, real_input(b, shape), real_input(b, shape), real_input(b, shape), MS_NO_TENSOR};
        ms_adamw(b->graph, in, &attributes, out);
        for (int i = 0; i < 3; i++) output(b, out[i]);
    }
}

static void add_case(bench_graph *b, const bench_case *c) {
    if (c->op == MS_OP_MATMUL) {
        ms_tensor x = data_input(b, c->transpose_a ? ms_shape_2(c->k, c->m) : ms_shape_2(c->m, c->k));
        ms_tensor y = data_input(b, c->transpose_b ? ms_shape_2(c->n, c->k) : ms_shape_2(c->k, c->n));
        output(b, ms_matmul(b->graph, x, y, MS_NO_TENSOR,
                            &(ms_matmul_attributes){c->transpose_a, c->transpose_b, 1, 0, b->dtype}));
    } else if (c->op == MS_OP_ATTENTION || c->op == MS_OP_ATTENTION_GRAD) {
        add_attention(b, c);
    } else {
        add_rows(b, c);
    }
}

enum { TOKENS = 8192 }; /* tokens and targets are below */

/* Fills every input: numbers in [0, 1) by a linear congruential generator, tokens of train/zipf.h. */
static ms_status fill_inputs(ms_store *store, const ms_variables *variables) {
    uint32_t state = 1;
    for (int v = 0; v < ms_variables_count(variables); v++) {
        const ms_variable *variable = ms_variables_get(variables, v);
        if (variable->kind != MS_VARIABLE_INPUT) continue;
        int64_t count = ms_shape_count(&variable->shape);
        float *reals = malloc((size_t)count * sizeof *reals);
        int32_t *integers = (int32_t *)(void *)reals;
        uint16_t *halves = (uint16_t *)(void *)reals;
        if (!reals) return MS_FAIL(MS_OUT_OF_MEMORY, "bench ops: %lld numbers", (long long)count);
        for (int64_t i = 0; i < count; i++) {
            state = state * 1664525u + 1013904223u;
            float real = (float)(state >> 8) * 0x1p-24f;
            if (variable->dtype == MS_DTYPE_I32)
                integers[i] = ms_zipf_token(1, (uint64_t)i, TOKENS);
            else if (variable->dtype == MS_DTYPE_BF16)
                halves[i] = ms_bf16_from_f32(real);
            else
                reals[i] = real;
        }
        ms_status status = ms_store_upload(store, v, 0, count, reals);
        free(reals);
        MS_TRY(status);
    }
    return MS_OK;
}

static ms_status measure(ms_device *device, bench_graph *b, double *out_seconds, ms_program_report *out_report) {
    ms_graph *finished = NULL;
    ms_store *store = NULL;
    ms_program *program = NULL;
    ms_status status = ms_graph_status(b->graph);
    if (status == MS_OK) status = b->status;
    if (status == MS_OK) status = ms_graph_finish(b->graph, &finished);
    if (status == MS_OK) status = ms_store_create(device, b->variables, &store);
    if (status == MS_OK) status = fill_inputs(store, b->variables);
    if (status == MS_OK) status = ms_program_compile(store, finished, &program);
    if (status == MS_OK) status = ms_program_time(device, program, MS_QUEUED_SECONDS, out_seconds);
    if (status == MS_OK) ms_program_get_report(program, out_report);
    ms_program_destroy(program);
    ms_store_destroy(store);
    ms_graph_destroy(finished);
    return status;
}

/* What a table is made with. */
typedef struct bench {
    ms_device *device;
    ms_bench_meter meters[2]; /* of matmuls in f32, in the storage */
    int n_meters;             /* 1: both are f32 */
    ms_dtype storage;
    double bytes; /* a second: of memory, at the start */
    FILE *out;
} bench;

/* Gram matrices, losses and the optimizer are f32 in either storage. */
static ms_dtype dtype_of(const bench *b, const bench_case *c) {
    return c->op == MS_OP_GRAM || c->op == MS_OP_CROSS_ENTROPY || c->op == MS_OP_ADAMW ? MS_DTYPE_F32 : b->storage;
}

static ms_bench_meter *meter_of(bench *b, const bench_case *c) {
    return &b->meters[dtype_of(b, c) == MS_DTYPE_F32 ? 0 : b->n_meters - 1];
}

/* The limit that a case is compared with, measured right before and right after it: the machine may be shared. */
static ms_status measure_limit(ms_bench_meter *meter, const bench_case *c, double *out) {
    bool contraction =
        c->op == MS_OP_MATMUL || c->op == MS_OP_GRAM || c->op == MS_OP_ATTENTION || c->op == MS_OP_ATTENTION_GRAD;
    return contraction ? ms_bench_meter_flops(meter, out) : ms_bench_meter_bytes(meter, out);
}

/* Sums over the matmuls of a training step (every row of more than 1 row of output but the square ones): what the op
   took, and what it would take at the limit and by sgemm on the same matmuls. */
typedef struct training_matmuls {
    double seconds, peak_seconds, twin_seconds;
} training_matmuls;

/* OpenBLAS's own sgemm on the matmul of a matmul case, 0 on other devices. */
static double measure_twin(const ms_bench_meter *meter, const bench_case *c) {
    const ms_cpu_gemm gemm = {c->m, c->n, c->k, c->transpose_a, c->transpose_b};
    return c->op == MS_OP_MATMUL && meter->peak.is_cpu ? ms_cpu_sgemm(&gemm, ms_device_threads(meter->peak.device)) : 0;
}

/* What was measured of one case. */
typedef struct bench_result {
    double seconds, floor;
    double limit, twin; /* in GFLOP/s or GB/s */
    ms_program_report report;
} bench_result;

/* The longest of products at the limit and of bytes at that of memory. */
static double floor_of(const bench *b, const bench_result *result) {
    bool contraction = result->report.contraction_flops > 0;
    double products = contraction ? 1e-9 * result->report.contraction_flops / result->limit : 0,
           memory = result->report.bytes / (contraction ? b->bytes : 1e9 * result->limit);
    return products > memory ? products : memory;
}

static ms_status measure_case(bench *b, const bench_case *c, bench_graph *graph, bench_result *out) {
    ms_bench_meter *meter = meter_of(b, c);
    double before = 0, after = 0, twin_before = measure_twin(meter, c);
    MS_TRY(measure_limit(meter, c, &before));
    MS_TRY(measure(b->device, graph, &out->seconds, &out->report));
    MS_TRY(measure_limit(meter, c, &after));
    out->limit = 0.5 * (before + after);
    out->twin = 0.5 * (twin_before + measure_twin(meter, c));
    out->floor = floor_of(b, out);
    return MS_OK;
}

static void print_case(bench *b, const bench_case *c, const bench_result *result) {
    const ms_bench_meter *meter = meter_of(b, c);
    bool contraction = result->report.contraction_flops > 0;
    double rate = 1e-9 * (contraction ? result->report.contraction_flops : result->report.bytes) / result->seconds;
    char beside[64] = "";
    if (result->twin > 0)
        snprintf(beside, sizeof beside, ", %.2f of sgemm on this matmul %.1f", rate / result->twin, result->twin);
    fprintf(b->out, "%-15s %-18s %-4s %9.4f %9.4f %6.2f  %8.1f %-8s %5.2f of %s %.1f%s\n", ms_op_get(c->op)->name,
            c->name, ms_dtype_name(dtype_of(b, c)), 1e3 * result->seconds, 1e3 * result->floor,
            result->seconds / result->floor, rate, contraction ? "GFLOP/s," : "GB/s,", rate / result->limit,
            contraction ? meter->peak.name : meter->bytes_name, result->limit, beside);
    ms_print_flush(b->out);
}

static bool is_square(const bench_case *c) { return c->m == c->n && c->n == c->k; }

static ms_status run_case(bench *b, const bench_case *c, training_matmuls *sums) {
    bench_graph graph = {.dtype = dtype_of(b, c), .status = MS_OK};
    bench_result result = {0};
    ms_status status = ms_variables_create(&graph.variables);
    if (status == MS_OK) status = ms_graph_create(graph.variables, -1, &graph.graph);
    if (status == MS_OK) {
        add_case(&graph, c);
        status = measure_case(b, c, &graph, &result);
    }
    if (status == MS_OK)
        print_case(b, c, &result);
    else
        ms_status_note(status, "bench ops: %s %s", ms_op_get(c->op)->name, c->name);
    if (status == MS_OK && c->op == MS_OP_MATMUL && c->m > 1 && !is_square(c)) {
        double gflop = 1e-9 * result.report.contraction_flops;
        sums->seconds += result.seconds;
        sums->peak_seconds += gflop / result.limit;
        sums->twin_seconds += result.twin > 0 ? gflop / result.twin : 0;
    }
    ms_graph_destroy(graph.graph);
    ms_variables_destroy(graph.variables);
    return status;
}

static ms_status run_table(bench *b) {
    training_matmuls sums = {0, 0, 0};
    double gb = 0;
    const char *peak_name = b->meters[b->n_meters - 1].peak.name;
    MS_TRY(ms_bench_meter_bytes(&b->meters[0], &gb));
    b->bytes = 1e9 * gb;
    fprintf(b->out, "%-15s %-18s %-4s %9s %9s %6s  %8s\n", "op", "case", "in", "now ms", "floor ms", "ratio", "rate");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) MS_TRY(run_case(b, &table[i], &sums));
    fprintf(b->out, "matmuls of a training step together: %.2f of %s", sums.peak_seconds / sums.seconds, peak_name);
    if (sums.twin_seconds > 0) fprintf(b->out, ", %.2f of sgemm on these matmuls", sums.twin_seconds / sums.seconds);
    fprintf(b->out, "\n");
    return MS_OK;
}

static ms_status init_meters(bench *b) {
    MS_TRY(ms_bench_meter_init(b->device, MS_DTYPE_F32, &b->meters[0]));
    b->n_meters = 1;
    if (b->storage == MS_DTYPE_F32) return MS_OK;
    MS_TRY(ms_bench_meter_init(b->device, b->storage, &b->meters[1]));
    b->n_meters = 2;
    return MS_OK;
}

static void print_head(const bench *b, const char *device_name) {
    fprintf(b->out, "%s, %s", device_name, ms_numerics_name(ms_device_numerics(b->device)));
    if (b->meters[0].peak.is_cpu)
        fprintf(b->out, ", %d threads, kernels for %s", ms_device_threads(b->device),
                ms_device_get_info(b->device)->kernels);
    fprintf(b->out,
            "; medians, at least %.0f ms of work for each wait; limits measured before and after each row\nfloor: "
            "products at "
            "the limit, or operands read and written once at that of memory; what stays in caches can be below it\n",
            1e3 * MS_QUEUED_SECONDS);
}

ms_status ms_bench_ops(const ms_device_options *options, ms_dtype storage, FILE *out) {
    if (options->numerics == MS_NUMERICS_ORACLE) return MS_FAIL(MS_INVALID, "bench ops: oracle numerics are not timed");
    bench b = {.storage = storage, .out = out};
    MS_TRY(ms_device_open(options, &b.device));
    ms_status status = init_meters(&b);
    if (status == MS_OK) {
        print_head(&b, options->name);
        status = run_table(&b);
    }
    for (int i = 0; i < b.n_meters; i++) ms_bench_meter_finish(&b.meters[i]);
    ms_device_close(b.device);
    return status;
}
