/* The shape rule of every op.  A rule checks its inputs against ops.def and fills dtype and shape of the outputs.

   Storage in bf16: the data inputs of an op (activations, weights, their gradients) are f32 or bf16, all alike, and its
   data outputs have that dtype; statistics (rstd, lse, losses, sums), gains and tables stay f32.  Matmuls alone mix
   dtypes; they and cross_entropy name that of their result. */
#include "backend/ir/graph.h"
#include "backend/ir/gemm.h"
#include "platform/choice.h"

typedef struct rule_call {
    ms_op op;
    const char *name;
    const ms_tensor_info *const *in; /* NULL entries: absent optional inputs */
    int n_inputs;
    const ms_attributes *attributes;
    ms_tensor_info *out;
} rule_call;

static bool has_input(const rule_call *call, int i) { return i < call->n_inputs && call->in[i]; }

static void set_output(const rule_call *call, int i, ms_dtype dtype, ms_shape shape) {
    call->out[i].dtype = dtype;
    call->out[i].shape = shape;
}

static ms_status want_dtype(const rule_call *call, int i, ms_dtype dtype) {
    if (call->in[i]->dtype == dtype) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: input %d is %s, must be %s", call->name, i, ms_dtype_name(call->in[i]->dtype),
                   ms_dtype_name(dtype));
}

static ms_status want_shape(const rule_call *call, int i, ms_shape shape) {
    char have[64], want[64];
    if (ms_shape_equal(&call->in[i]->shape, &shape)) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: input %d is %s, must be %s", call->name, i,
                   ms_shape_text(&call->in[i]->shape, have, sizeof have), ms_shape_text(&shape, want, sizeof want));
}

static ms_status want_rank(const rule_call *call, int i, int rank) {
    char have[64];
    if (call->in[i]->shape.rank == rank) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: input %d is %s, must have rank %d", call->name, i,
                   ms_shape_text(&call->in[i]->shape, have, sizeof have), rank);
}

/* Input i is f32 and has the given shape. */
static ms_status want_f32(const rule_call *call, int i, ms_shape shape) {
    MS_TRY(want_dtype(call, i, MS_DTYPE_F32));
    return want_shape(call, i, shape);
}

/* Input i holds numbers that ops compute with: f32 or bf16. */
static ms_status want_number(const rule_call *call, int i) {
    ms_dtype dtype = call->in[i]->dtype;
    if (dtype == MS_DTYPE_F32 || dtype == MS_DTYPE_BF16) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: input %d is %s, must be f32 or bf16", call->name, i, ms_dtype_name(dtype));
}

/* Input i has the dtype of input `data` and the given shape. */
static ms_status want_like(const rule_call *call, int i, int data, ms_shape shape) {
    MS_TRY(want_dtype(call, i, call->in[data]->dtype));
    return want_shape(call, i, shape);
}

/* Input 0 is a matrix of numbers [R,C]. */
static ms_status want_data_matrix(const rule_call *call, ms_shape *out_shape) {
    *out_shape = call->in[0]->shape;
    MS_TRY(want_number(call, 0));
    return want_rank(call, 0, 2);
}

/* The result's dtype, where an op names it. */
static ms_status check_result(const rule_call *call, ms_dtype dtype) {
    if (dtype == MS_DTYPE_F32 || dtype == MS_DTYPE_BF16) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: a result in %s, must be f32 or bf16", call->name, ms_dtype_name(dtype));
}

/* All present inputs have dtype and shape of input 0; the outputs likewise. */
static ms_status infer_elementwise(const rule_call *call) {
    MS_TRY(want_number(call, 0));
    for (int i = 0; i < call->n_inputs; i++)
        if (call->in[i]) MS_TRY(want_like(call, i, 0, call->in[0]->shape));
    for (int i = 0; i < ms_op_get(call->op)->n_outputs; i++)
        set_output(call, i, call->in[0]->dtype, call->in[0]->shape);
    return MS_OK;
}

static ms_status check_shape_attribute(const rule_call *call, const ms_shape *shape) {
    char text[64];
    bool valid = shape->rank >= 1 && shape->rank <= MS_MAX_RANK;
    for (int i = 0; valid && i < shape->rank; i++) valid = shape->dim[i] >= 1;
    if (valid) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: shape %s, rank must be 1 to 4 and every dimension positive", call->name,
                   ms_shape_text(shape, text, sizeof text));
}

/* ---- movement ---- */

static ms_status infer_fill(const rule_call *call) {
    MS_TRY(check_shape_attribute(call, &call->attributes->fill.shape));
    MS_TRY(ms_choice_check("fill: dtype", (int)call->attributes->fill.dtype, ms_dtype_names));
    set_output(call, 0, call->attributes->fill.dtype, call->attributes->fill.shape);
    return MS_OK;
}

static ms_status infer_assign(const rule_call *call) {
    if (call->in[1]->variable < 0) return MS_FAIL(MS_INVALID, "assign: the destination is not a view of a variable");
    MS_TRY(want_dtype(call, 0, call->in[1]->dtype));
    MS_TRY(want_shape(call, 0, call->in[1]->shape));
    int64_t distance = call->in[0]->offset - call->in[1]->offset, count = ms_shape_count(&call->in[1]->shape);
    if (call->in[0]->variable == call->in[1]->variable && distance != 0 && distance < count && distance > -count)
        return MS_FAIL(MS_INVALID,
                       "assign: source and destination are parts of one variable that overlap by %lld of %lld",
                       (long long)(count - (distance < 0 ? -distance : distance)), (long long)count);
    return MS_OK;
}

static ms_status infer_reshape(const rule_call *call) {
    char from[64], to[64];
    const ms_shape *shape = &call->attributes->shape.shape;
    MS_TRY(check_shape_attribute(call, shape));
    if (ms_shape_count(shape) != ms_shape_count(&call->in[0]->shape))
        return MS_FAIL(MS_INVALID, "reshape: %s to %s changes the number of elements",
                       ms_shape_text(&call->in[0]->shape, from, sizeof from), ms_shape_text(shape, to, sizeof to));
    set_output(call, 0, call->in[0]->dtype, *shape);
    return MS_OK;
}

static int row_dimension(const ms_shape *shape) { return shape->rank >= 2 ? shape->rank - 2 : 0; }

static ms_status check_rows(const rule_call *call, const ms_shape *shape) {
    char text[64];
    const ms_slice_attributes *slice = &call->attributes->slice;
    int64_t rows = shape->dim[row_dimension(shape)];
    if (slice->begin >= 0 && slice->count >= 1 && slice->begin + slice->count <= rows) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s: rows %lld to %lld of %s", call->name, (long long)slice->begin,
                   (long long)(slice->begin + slice->count), ms_shape_text(shape, text, sizeof text));
}

static ms_status infer_slice(const rule_call *call) {
    ms_shape shape = call->in[0]->shape;
    MS_TRY(check_rows(call, &shape));
    shape.dim[row_dimension(&shape)] = call->attributes->slice.count;
    set_output(call, 0, call->in[0]->dtype, shape);
    return MS_OK;
}

static ms_status infer_insert(const rule_call *call) {
    ms_shape shape = call->in[0]->shape;
    MS_TRY(check_rows(call, &shape));
    MS_TRY(want_dtype(call, 1, call->in[0]->dtype));
    shape.dim[row_dimension(&shape)] = call->attributes->slice.count;
    MS_TRY(want_shape(call, 1, shape));
    set_output(call, 0, call->in[0]->dtype, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_insert_rows(const rule_call *call) {
    ms_shape base = call->in[0]->shape, x = call->in[1]->shape;
    MS_TRY(want_rank(call, 0, 2));
    MS_TRY(want_rank(call, 1, 2));
    MS_TRY(want_like(call, 1, 0, ms_shape_2(x.dim[0], base.dim[1])));
    MS_TRY(want_dtype(call, 2, MS_DTYPE_I32));
    MS_TRY(want_shape(call, 2, ms_shape_1(x.dim[0])));
    set_output(call, 0, call->in[0]->dtype, base);
    return MS_OK;
}

static ms_status infer_cast(const rule_call *call) {
    ms_dtype from = call->in[0]->dtype, to = call->attributes->cast.dtype;
    bool known = (from == MS_DTYPE_F32 || from == MS_DTYPE_BF16) && (to == MS_DTYPE_F32 || to == MS_DTYPE_BF16);
    if (!known)
        return MS_FAIL(MS_INVALID, "cast: %s to %s, only f32 and bf16 are known", ms_dtype_name(from),
                       ms_dtype_name(to));
    set_output(call, 0, to, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_embed(const rule_call *call) {
    MS_TRY(want_dtype(call, 0, MS_DTYPE_F32));
    MS_TRY(want_rank(call, 0, 2));
    MS_TRY(want_dtype(call, 1, MS_DTYPE_I32));
    MS_TRY(want_rank(call, 1, 1));
    set_output(call, 0, MS_DTYPE_F32, ms_shape_2(call->in[1]->shape.dim[0], call->in[0]->shape.dim[1]));
    return MS_OK;
}

static ms_status infer_embed_grad(const rule_call *call) {
    MS_TRY(want_dtype(call, 0, MS_DTYPE_I32));
    MS_TRY(want_rank(call, 0, 1));
    MS_TRY(want_number(call, 1));
    MS_TRY(want_rank(call, 1, 2));
    MS_TRY(want_shape(call, 1, ms_shape_2(call->in[0]->shape.dim[0], call->in[1]->shape.dim[1])));
    if (call->attributes->embed.rows < 1)
        return MS_FAIL(MS_INVALID, "embed_grad: %lld rows", (long long)call->attributes->embed.rows);
    ms_shape shape = ms_shape_2(call->attributes->embed.rows, call->in[1]->shape.dim[1]);
    if (has_input(call, 2)) MS_TRY(want_f32(call, 2, shape));
    set_output(call, 0, MS_DTYPE_F32, shape);
    return MS_OK;
}

/* ---- arithmetic ---- */

static ms_status infer_axpby(const rule_call *call) { return infer_elementwise(call); }

/* A scalar factor may stay f32 beside bf16 data: a learned scale, the gradient of a loss. */
static ms_status infer_mul(const rule_call *call) {
    bool is_scalar = ms_shape_count(&call->in[1]->shape) == 1;
    MS_TRY(want_number(call, 0));
    if (!is_scalar || call->in[1]->dtype != MS_DTYPE_F32) MS_TRY(want_dtype(call, 1, call->in[0]->dtype));
    if (!is_scalar) MS_TRY(want_shape(call, 1, call->in[0]->shape));
    set_output(call, 0, call->in[0]->dtype, call->in[0]->shape);
    return MS_OK;
}

/* ---- norm and position ---- */

static ms_status infer_rms_norm(const rule_call *call) {
    ms_shape x;
    MS_TRY(want_data_matrix(call, &x));
    MS_TRY(want_f32(call, 1, ms_shape_1(x.dim[1])));
    set_output(call, 0, call->in[0]->dtype, x);
    set_output(call, 1, MS_DTYPE_F32, ms_shape_1(x.dim[0]));
    return MS_OK;
}

static ms_status infer_rms_norm_grad(const rule_call *call) {
    ms_shape x;
    MS_TRY(want_data_matrix(call, &x));
    MS_TRY(want_f32(call, 1, ms_shape_1(x.dim[1])));
    MS_TRY(want_f32(call, 2, ms_shape_1(x.dim[0])));
    MS_TRY(want_like(call, 3, 0, x));
    if (has_input(call, 4)) MS_TRY(want_like(call, 4, 0, x));
    set_output(call, 0, call->in[0]->dtype, x);
    set_output(call, 1, MS_DTYPE_F32, ms_shape_1(x.dim[1]));
    return MS_OK;
}

static ms_status infer_add_rms_norm(const rule_call *call) {
    ms_shape x;
    MS_TRY(want_data_matrix(call, &x));
    MS_TRY(want_like(call, 1, 0, x));
    MS_TRY(want_f32(call, 2, ms_shape_1(x.dim[1])));
    set_output(call, 0, call->in[0]->dtype, x);
    set_output(call, 1, call->in[0]->dtype, x);
    set_output(call, 2, MS_DTYPE_F32, ms_shape_1(x.dim[0]));
    return MS_OK;
}

/* Checks what both rope ops share: x, the table, and that gain is there exactly when heads are normalised. */
static ms_status check_rope(const rule_call *call, int gain_input) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    if (rope->heads < 1 || rope->head_size < 2 || rope->head_size % 2 != 0 || rope->sequence < 1)
        return MS_FAIL(MS_INVALID,
                       "%s: %d heads of size %d, sequence %d: sizes must be positive and the head size even",
                       call->name, rope->heads, rope->head_size, rope->sequence);
    ms_shape x;
    MS_TRY(want_data_matrix(call, &x));
    int64_t n = x.dim[0];
    if (n % rope->sequence != 0)
        return MS_FAIL(MS_INVALID, "%s: %lld tokens are not whole sequences of %d", call->name, (long long)n,
                       rope->sequence);
    MS_TRY(want_shape(call, 0, ms_shape_2(n, (int64_t)rope->heads * rope->head_size)));
    MS_TRY(want_f32(call, 1, ms_shape_2(rope->sequence, rope->head_size)));
    if (has_input(call, gain_input) != rope->normalise)
        return MS_FAIL(MS_INVALID, "%s: a gain must be given exactly when heads are normalised", call->name);
    if (rope->normalise) MS_TRY(want_f32(call, gain_input, ms_shape_1(rope->head_size)));
    return MS_OK;
}

static ms_status infer_qk_norm_rope(const rule_call *call) {
    MS_TRY(check_rope(call, 2));
    set_output(call, 0, call->in[0]->dtype, call->in[0]->shape);
    set_output(call, 1, MS_DTYPE_F32, ms_shape_2(call->in[0]->shape.dim[0], call->attributes->rope.heads));
    return MS_OK;
}

static ms_status infer_qk_norm_rope_grad(const rule_call *call) {
    MS_TRY(check_rope(call, 4));
    MS_TRY(want_f32(call, 2, ms_shape_2(call->in[0]->shape.dim[0], call->attributes->rope.heads)));
    MS_TRY(want_like(call, 3, 0, call->in[0]->shape));
    set_output(call, 0, call->in[0]->dtype, call->in[0]->shape);
    set_output(call, 1, MS_DTYPE_F32, ms_shape_1(call->attributes->rope.head_size));
    return MS_OK;
}

/* ---- contraction ---- */

static ms_status infer_matmul(const rule_call *call) {
    char a_text[64], b_text[64];
    const ms_matmul_attributes *matmul = &call->attributes->matmul;
    MS_TRY(want_number(call, 0));
    MS_TRY(want_number(call, 1));
    MS_TRY(check_result(call, matmul->dtype));
    const ms_shape *a = &call->in[0]->shape, *b = &call->in[1]->shape;
    ms_gemm gemm = ms_gemm_of(MS_OP_MATMUL, call->attributes, a, b);
    int64_t m = gemm.left.n_rows, n = gemm.right.n_rows;
    int rank_a = a->rank, rank_b = b->rank;
    bool batches_fit = rank_a == 2 || rank_b == 2 || a->dim[0] == b->dim[0];
    if (gemm.left.depth != gemm.right.depth || !batches_fit || rank_a < 2 || rank_a > 3 || rank_b < 2 || rank_b > 3)
        return MS_FAIL(MS_INVALID, "matmul: %s%s times %s%s does not fit", ms_shape_text(a, a_text, sizeof a_text),
                       matmul->transpose_a ? " transposed" : "", ms_shape_text(b, b_text, sizeof b_text),
                       matmul->transpose_b ? " transposed" : "");
    ms_shape shape =
        rank_a == 2 && rank_b == 2 ? ms_shape_2(m, n) : ms_shape_3(rank_a == 3 ? a->dim[0] : b->dim[0], m, n);
    if (has_input(call, 2)) {
        MS_TRY(want_dtype(call, 2, matmul->dtype));
        MS_TRY(want_shape(call, 2, shape));
    }
    set_output(call, 0, matmul->dtype, shape);
    return MS_OK;
}

static ms_status infer_gram(const rule_call *call) {
    ms_dtype dtype = call->attributes->gram.dtype;
    MS_TRY(want_number(call, 0));
    MS_TRY(check_result(call, dtype));
    ms_shape shape = call->in[0]->shape;
    if (shape.rank < 2) return want_rank(call, 0, 2);
    int64_t side = shape.dim[call->attributes->gram.transpose ? shape.rank - 1 : shape.rank - 2];
    shape.dim[shape.rank - 1] = shape.dim[shape.rank - 2] = side;
    set_output(call, 0, dtype, shape);
    return MS_OK;
}

static ms_status check_attention_sizes(const rule_call *call) {
    const ms_attention_attributes *attention = &call->attributes->attention;
    if (attention->batch >= 1 && attention->sequence >= 1 && attention->heads >= 1 && attention->kv_heads >= 1 &&
        attention->head_size >= 1 && attention->heads % attention->kv_heads == 0)
        return MS_OK;
    return MS_FAIL(
        MS_INVALID,
        "%s: batch %d, sequence %d, heads %d, kv heads %d, head size %d: all positive, heads a multiple of kv "
        "heads",
        call->name, attention->batch, attention->sequence, attention->heads, attention->kv_heads, attention->head_size);
}

/* What the attention ops over whole sequences share: sizes, q and k. */
static ms_status check_queries_and_keys(const rule_call *call, ms_shape *out_q, ms_shape *out_kv) {
    const ms_attention_attributes *attention = &call->attributes->attention;
    MS_TRY(check_attention_sizes(call));
    int64_t n = (int64_t)attention->batch * attention->sequence;
    *out_q = ms_shape_2(n, (int64_t)attention->heads * attention->head_size);
    *out_kv = ms_shape_2(n, (int64_t)attention->kv_heads * attention->head_size);
    MS_TRY(want_number(call, 0));
    MS_TRY(want_shape(call, 0, *out_q));
    return want_like(call, 1, 0, *out_kv);
}

static ms_status check_attention(const rule_call *call, ms_shape *out_q, ms_shape *out_kv, ms_shape *out_lse) {
    const ms_attention_attributes *attention = &call->attributes->attention;
    MS_TRY(check_queries_and_keys(call, out_q, out_kv));
    *out_lse = ms_shape_2((int64_t)attention->batch * attention->heads, attention->sequence);
    return want_like(call, 2, 0, *out_kv);
}

static ms_status infer_attention(const rule_call *call) {
    ms_shape q, kv, lse;
    MS_TRY(check_attention(call, &q, &kv, &lse));
    set_output(call, 0, call->in[0]->dtype, q);
    set_output(call, 1, MS_DTYPE_F32, lse);
    return MS_OK;
}

static ms_status infer_attention_logit_max(const rule_call *call) {
    ms_shape q, kv;
    MS_TRY(check_queries_and_keys(call, &q, &kv));
    set_output(call, 0, MS_DTYPE_F32, ms_shape_1(call->attributes->attention.heads));
    return MS_OK;
}

static ms_status infer_cached_attention(const rule_call *call) {
    const ms_attention_attributes *attention = &call->attributes->attention;
    ms_shape q;
    MS_TRY(check_attention_sizes(call));
    MS_TRY(want_data_matrix(call, &q));
    MS_TRY(want_shape(call, 0, ms_shape_2(q.dim[0], (int64_t)attention->heads * attention->head_size)));
    for (int i = 1; i <= 2; i++)
        MS_TRY(want_like(call, i, 0,
                         ms_shape_2((int64_t)attention->batch * attention->sequence,
                                    (int64_t)attention->kv_heads * attention->head_size)));
    MS_TRY(want_dtype(call, 3, MS_DTYPE_I32));
    MS_TRY(want_shape(call, 3, ms_shape_1(q.dim[0])));
    set_output(call, 0, call->in[0]->dtype, q);
    return MS_OK;
}

static ms_status infer_attention_grad(const rule_call *call) {
    ms_shape q, kv, lse;
    MS_TRY(check_attention(call, &q, &kv, &lse));
    MS_TRY(want_like(call, 3, 0, q));
    MS_TRY(want_f32(call, 4, lse));
    MS_TRY(want_like(call, 5, 0, q));
    set_output(call, 0, call->in[0]->dtype, q);
    set_output(call, 1, call->in[0]->dtype, kv);
    set_output(call, 2, call->in[0]->dtype, kv);
    return MS_OK;
}

/* ---- loss ---- */

static ms_status want_targets(const rule_call *call, int i, int64_t n) {
    MS_TRY(want_dtype(call, i, MS_DTYPE_I32));
    return want_shape(call, i, ms_shape_1(n));
}

static ms_status infer_cross_entropy(const rule_call *call) {
    MS_TRY(want_dtype(call, 0, MS_DTYPE_F32));
    MS_TRY(want_rank(call, 0, 2));
    MS_TRY(want_targets(call, 1, call->in[0]->shape.dim[0]));
    MS_TRY(check_result(call, call->attributes->cross_entropy.dtype));
    set_output(call, 0, MS_DTYPE_F32, ms_shape_1(call->in[0]->shape.dim[0]));
    set_output(call, 1, call->attributes->cross_entropy.dtype, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_tied_cross_entropy(const rule_call *call) {
    ms_shape h, e = call->in[1]->shape;
    MS_TRY(want_data_matrix(call, &h));
    MS_TRY(want_rank(call, 1, 2));
    MS_TRY(want_like(call, 1, 0, ms_shape_2(e.dim[0], h.dim[1])));
    MS_TRY(want_targets(call, 2, h.dim[0]));
    MS_TRY(check_result(call, call->attributes->tied_cross_entropy.dtype));
    if (call->attributes->tied_cross_entropy.chunk < 1)
        return MS_FAIL(MS_INVALID, "tied_cross_entropy: chunk of %lld tokens",
                       (long long)call->attributes->tied_cross_entropy.chunk);
    long long chunk = call->attributes->tied_cross_entropy.chunk;
    if ((h.dim[0] - 1) / chunk >= MS_LOSS_CHUNKS_MAX)
        return MS_FAIL(MS_INVALID, "tied_cross_entropy: %lld tokens in chunks of %lld, at most %d chunks are possible",
                       (long long)h.dim[0], chunk, MS_LOSS_CHUNKS_MAX);
    set_output(call, 0, MS_DTYPE_F32, ms_shape_1(1));
    set_output(call, 1, call->in[0]->dtype, h);
    set_output(call, 2, MS_DTYPE_F32, e);
    set_output(call, 3, MS_DTYPE_F32, ms_shape_1(h.dim[0]));
    return MS_OK;
}

/* ---- reduction ---- */

static ms_status infer_sum(const rule_call *call) {
    MS_TRY(want_number(call, 0));
    set_output(call, 0, MS_DTYPE_F32, ms_shape_1(1));
    return MS_OK;
}

static ms_status infer_sum_squares(const rule_call *call) {
    const ms_sum_squares_attributes *attributes = &call->attributes->sum_squares;
    MS_TRY(want_number(call, 0));
    if (attributes->n_groups == 0) {
        set_output(call, 0, MS_DTYPE_F32, ms_shape_1(1));
        return MS_OK;
    }
    if (attributes->n_groups < 0 || attributes->n_groups > MS_MAX_ROW_GROUPS)
        return MS_FAIL(MS_INVALID, "sum_squares: %d row groups, at most %d", attributes->n_groups, MS_MAX_ROW_GROUPS);
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0]->shape);
    int64_t rows = 0;
    for (int i = 0; i < attributes->n_groups; i++) rows += attributes->group_rows[i];
    if (rows != matrix.rows)
        return MS_FAIL(MS_INVALID, "sum_squares: row groups hold %lld rows, the matrix has %lld", (long long)rows,
                       (long long)matrix.rows);
    set_output(call, 0, MS_DTYPE_F32, ms_shape_2(matrix.batch, attributes->n_groups));
    return MS_OK;
}

/* ---- optimizer ---- */

static ms_status infer_clip_factor(const rule_call *call) {
    MS_TRY(want_dtype(call, 0, MS_DTYPE_F32));
    MS_TRY(want_rank(call, 0, 1));
    if (!(call->attributes->clip_factor.max_norm > 0))
        return MS_FAIL(MS_INVALID, "clip_factor: max norm %g is not positive",
                       (double)call->attributes->clip_factor.max_norm);
    set_output(call, 0, MS_DTYPE_F32, ms_shape_1(2));
    return MS_OK;
}

static ms_status infer_ema_nesterov(const rule_call *call) {
    MS_TRY(want_f32(call, 0, call->in[0]->shape));
    MS_TRY(want_f32(call, 1, call->in[0]->shape));
    if (has_input(call, 2)) MS_TRY(want_f32(call, 2, ms_shape_1(2)));
    set_output(call, 0, MS_DTYPE_F32, call->in[0]->shape);
    set_output(call, 1, MS_DTYPE_F32, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_scale_by_inverse_norm(const rule_call *call) {
    MS_TRY(want_number(call, 0));
    MS_TRY(want_dtype(call, 1, MS_DTYPE_F32));
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0]->shape);
    char text[64];
    if (ms_shape_count(&call->in[1]->shape) != matrix.batch)
        return MS_FAIL(MS_INVALID, "scale_by_inverse_norm: sums of squares are %s for %lld matrices",
                       ms_shape_text(&call->in[1]->shape, text, sizeof text), (long long)matrix.batch);
    set_output(call, 0, call->in[0]->dtype, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_adamw(const rule_call *call) {
    for (int i = 0; i < 4; i++) MS_TRY(want_f32(call, i, call->in[0]->shape));
    if (has_input(call, 4)) MS_TRY(want_f32(call, 4, ms_shape_1(2)));
    for (int i = 0; i < 3; i++) set_output(call, i, MS_DTYPE_F32, call->in[0]->shape);
    return MS_OK;
}

static ms_status infer_random_normal(const rule_call *call) {
    MS_TRY(check_shape_attribute(call, &call->attributes->random_normal.shape));
    set_output(call, 0, MS_DTYPE_F32, call->attributes->random_normal.shape);
    return MS_OK;
}

ms_status ms_op_infer(ms_op op, const ms_tensor_info *const *inputs, int n_inputs, const ms_attributes *attributes,
                      ms_tensor_info *out_outputs) {
#define RULE_PRIMITIVE(lower) infer_##lower
#define RULE_ELEMENTWISE(lower) infer_elementwise
#define RULE_FREE(lower) infer_##lower
#define RULE_COMPOSITE(lower) infer_##lower
    static ms_status (*const rules[])(const rule_call *) = {
#define OP(upper, lower, kind, ...) RULE_##kind(lower),
#include "backend/ir/ops.def"
#undef OP
    };
    rule_call call = {op, ms_op_get(op)->name, inputs, n_inputs, attributes, out_outputs};
    return rules[op](&call);
}
