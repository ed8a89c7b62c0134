/* embed_grad: for each row v of the table, s = sum of dy[n,:] over the tokens n with index[n] = v, ascending from the
   first; y[v,:] = acc[v,:] + scale s, or scale s without acc; rows without tokens are acc, or 0. index i32 [N], dy
   [N,C], acc [V,C] (optional), y [V,C] may be acc.  The tokens of each row are found by a counting sort in the
   workspace: begin i64 [V+1], tokens i64 [N].  MS_INVALID: an index outside of [0, V). */
#include "backend/cpu/share.h"

typedef struct embed_grad_job {
    const real *dy, *acc; /* acc NULL: absent */
    const int64_t *begin, *tokens;
    real *y;
    int64_t rows, columns;
    real scale;
} embed_grad_job;

/* Pieces of a row are summed one after the other, so that the sum stays in registers or the first-level cache. */
enum { EMBED_PIECE = 1024 };

static void embed_grad_piece(const embed_grad_job *job, int64_t v, int64_t first, int64_t n) {
    int64_t begin = job->begin[v], end = job->begin[v + 1], columns = job->columns;
    real *y = job->y + v * columns + first, sum[EMBED_PIECE], scale = job->scale;
    const real *acc = job->acc ? job->acc + v * columns + first : NULL;
    if (begin == end) {
        if (!acc) memset(y, 0, (size_t)n * sizeof(real));
        if (acc && acc != y) memcpy(y, acc, (size_t)n * sizeof(real));
        return;
    }
    memcpy(sum, job->dy + job->tokens[begin] * columns + first, (size_t)n * sizeof(real));
    for (int64_t i = begin + 1; i < end; i++) {
        const real *dy = job->dy + job->tokens[i] * columns + first;
        for (int64_t c = 0; c < n; c++) sum[c] = sum[c] + dy[c];
    }
    if (acc) {
#pragma GCC ivdep
        for (int64_t c = 0; c < n; c++) y[c] = acc[c] + scale * sum[c];
    } else {
        for (int64_t c = 0; c < n; c++) y[c] = scale * sum[c];
    }
}

static void embed_grad_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const embed_grad_job *job = context;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(job->columns), job->rows);
    for (int64_t v = range.begin; v < range.end; v++)
        for (int64_t c = 0; c < job->columns; c += EMBED_PIECE)
            embed_grad_piece(job, v, c, job->columns - c < EMBED_PIECE ? job->columns - c : EMBED_PIECE);
}

static ms_status sort_tokens(const int32_t *index, int64_t n_tokens, int64_t rows, int64_t *begin, int64_t *tokens) {
    memset(begin, 0, (size_t)(rows + 1) * sizeof *begin);
    for (int64_t n = 0; n < n_tokens; n++) {
        if (index[n] < 0 || index[n] >= rows)
            return MS_FAIL(MS_INVALID, "embed_grad: id %d of token %lld is not in [0, %lld)", index[n], (long long)n,
                           (long long)rows);
        begin[index[n] + 1]++;
    }
    for (int64_t v = 0; v < rows; v++) begin[v + 1] += begin[v];
    for (int64_t n = 0; n < n_tokens; n++) tokens[begin[index[n]]++] = n;
    /* Each begin has moved to the next row's. */
    memmove(begin + 1, begin, (size_t)rows * sizeof *begin);
    begin[0] = 0;
    return MS_OK;
}

ms_status MS_KERNEL(embed_grad)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    embed_grad_job job = {0};
    job.rows = call->out[0].shape.dim[0], job.columns = call->out[0].shape.dim[1];
    job.dy = call->in[1].data, job.acc = call->in[2].data, job.y = call->out[0].data;
    job.scale = (real)call->attributes->embed.scale;
    int64_t *begin = call->workspace, *tokens = begin + job.rows + 1;
    job.begin = begin, job.tokens = tokens;
    MS_TRY(sort_tokens(call->in[0].data, call->in[0].shape.dim[0], job.rows, begin, tokens));
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), embed_grad_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(embed_grad)(const ms_cpu_call *call) {
    return (size_t)(call->attributes->embed.rows + 1 + call->in[0].shape.dim[0]) * sizeof(int64_t);
}
