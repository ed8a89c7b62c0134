#include "backend/vulkan/vulkan_literal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The SPIR-V specification's numbers. */
enum { MAGIC = 0x07230203, HEADER_WORDS = 5, BOUND = 3, DECORATION_SPEC_ID = 1, LOOP_CONTROL_UNROLL = 1 };
enum instruction {
    OP_TYPE_BOOL = 20,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_CONSTANT_COMPOSITE = 44,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_COMPOSITE = 51,
    OP_SPEC_CONSTANT_OP = 52,
    OP_DECORATE = 71,
    OP_COMPOSITE_EXTRACT = 81,
    OP_IADD = 128,
    OP_ISUB = 130,
    OP_IMUL = 132,
    OP_UDIV = 134,
    OP_LOGICAL_OR = 166,
    OP_LOGICAL_AND = 167,
    OP_SELECT = 169,
    OP_IEQUAL = 170,
    OP_INOT_EQUAL = 171,
    OP_UGREATER_THAN = 172,
    OP_ULESS_THAN = 176,
    OP_ULESS_THAN_EQUAL = 178,
    OP_SHIFT_LEFT_LOGICAL = 196,
    OP_LOOP_MERGE = 246
};

/* What is known of one id. */
typedef struct id_facts {
    bool is_known; /* a number, or a bool as 0 or 1 */
    uint32_t value;
    int spec_id;               /* -1: none */
    const uint32_t *composite; /* the instruction of a composite constant */
} id_facts;

typedef struct writer {
    id_facts *ids;
    uint32_t bound, bool_type;
    const uint32_t *values;
    int n_values;
    uint32_t *out;
    size_t n_out;
} writer;

static void put(writer *w, uint32_t word) { w->out[w->n_out++] = word; }
static void put_all(writer *w, const uint32_t *words, uint32_t n) {
    memcpy(w->out + w->n_out, words, n * sizeof *words);
    w->n_out += n;
}

static void know(writer *w, uint32_t id, uint32_t value) {
    w->ids[id].is_known = true;
    w->ids[id].value = value;
}

static void put_constant(writer *w, uint32_t type, uint32_t id, uint32_t value) {
    know(w, id, value);
    bool is_bool = type == w->bool_type;
    uint32_t op = !is_bool ? OP_CONSTANT : value ? OP_CONSTANT_TRUE : OP_CONSTANT_FALSE;
    put(w, (is_bool ? 3u : 4u) << 16 | op);
    put(w, type);
    put(w, id);
    if (!is_bool) put(w, value);
}

/* false: not one of these. */
static bool compute_binary(uint32_t op, uint32_t a, uint32_t b, uint32_t *out) {
    switch (op) {
    case OP_IADD:
        *out = a + b;
        return true;
    case OP_ISUB:
        *out = a - b;
        return true;
    case OP_IMUL:
        *out = a * b;
        return true;
    case OP_UDIV:
        *out = b ? a / b : 0;
        return b != 0;
    case OP_SHIFT_LEFT_LOGICAL:
        *out = b < 32 ? a << b : 0;
        return b < 32;
    case OP_LOGICAL_OR:
        *out = a | b;
        return true;
    case OP_LOGICAL_AND:
        *out = a & b;
        return true;
    case OP_IEQUAL:
        *out = a == b;
        return true;
    case OP_INOT_EQUAL:
        *out = a != b;
        return true;
    case OP_UGREATER_THAN:
        *out = a > b;
        return true;
    case OP_ULESS_THAN:
        *out = a < b;
        return true;
    case OP_ULESS_THAN_EQUAL:
        *out = a <= b;
        return true;
    default:
        return false;
    }
}

/* The value of an OpSpecConstantOp of n words: op type id opcode operands.  false: it stays what it is. */
static bool compute(const writer *w, const uint32_t *at, uint32_t n, uint32_t *out) {
    const id_facts *ids = w->ids;
    const uint32_t *operands = at + 4;
    if (at[3] == OP_COMPOSITE_EXTRACT && n == 6) {
        const uint32_t *composite = ids[operands[0]].composite;
        if (!composite || operands[1] + 3 >= composite[0] >> 16) return false;
        const id_facts *member = &ids[composite[3 + operands[1]]];
        *out = member->value;
        return member->is_known;
    }
    if (at[3] == OP_SELECT && n == 7) {
        const id_facts *chosen = &ids[ids[operands[0]].value ? operands[1] : operands[2]];
        *out = chosen->value;
        return ids[operands[0]].is_known && chosen->is_known;
    }
    if (n != 6 || !ids[operands[0]].is_known || !ids[operands[1]].is_known) return false;
    return compute_binary(at[3], ids[operands[0]].value, ids[operands[1]].value, out);
}

/* Copies an instruction of n words or puts what it becomes. */
static void rewrite(writer *w, const uint32_t *at, uint32_t n) {
    uint32_t op = at[0] & 0xffff, value;
    if (op == OP_DECORATE && n == 4 && at[2] == DECORATION_SPEC_ID) {
        w->ids[at[1]].spec_id = (int)at[3];
        return;
    }
    if (op == OP_TYPE_BOOL) w->bool_type = at[1];
    if (op == OP_CONSTANT_TRUE || op == OP_CONSTANT_FALSE) know(w, at[2], op == OP_CONSTANT_TRUE);
    if (op == OP_CONSTANT && n == 4) know(w, at[2], at[3]);
    if (op == OP_CONSTANT_COMPOSITE || op == OP_SPEC_CONSTANT_COMPOSITE) w->ids[at[2]].composite = at;
    if (op == OP_SPEC_CONSTANT && n == 4) {
        int spec_id = w->ids[at[2]].spec_id;
        put_constant(w, at[1], at[2], spec_id >= 0 && spec_id < w->n_values ? w->values[spec_id] : at[3]);
    } else if (op == OP_SPEC_CONSTANT_COMPOSITE) {
        put(w, n << 16 | OP_CONSTANT_COMPOSITE);
        put_all(w, at + 1, n - 1);
    } else if (op == OP_SPEC_CONSTANT_OP && compute(w, at, n, &value)) {
        put_constant(w, at[1], at[2], value);
    } else {
        put_all(w, at, n);
    }
}

static bool asks_for_unrolling(const uint32_t *at, uint32_t n) {
    return (at[0] & 0xffff) == OP_LOOP_MERGE && n >= 4 && at[3] & LOOP_CONTROL_UNROLL;
}

/* *out_unrolls: whether a loop is to be unrolled. */
static ms_status check(const uint32_t *words, size_t n_words, bool *out_unrolls) {
    *out_unrolls = false;
    if (n_words < HEADER_WORDS || words[0] != MAGIC)
        return MS_FAIL(MS_INTERNAL, "vulkan: %zu words that are not SPIR-V", n_words);
    for (size_t i = HEADER_WORDS; i < n_words;) {
        uint32_t n = words[i] >> 16;
        if (n == 0 || n > n_words - i)
            return MS_FAIL(MS_INTERNAL, "vulkan: SPIR-V ends within the instruction at word %zu of %zu", i, n_words);
        if (asks_for_unrolling(words + i, n)) *out_unrolls = true;
        i += n;
    }
    return MS_OK;
}

ms_status ms_vulkan_write_literals(const ms_vulkan_specialised *module, uint32_t **out_words, size_t *out_n_words) {
    const uint32_t *words = module->words;
    size_t n_words = module->n_words;
    *out_words = NULL;
    *out_n_words = 0;
    bool unrolls;
    MS_TRY(check(words, n_words, &unrolls));
    if (unrolls && !module->unrolled_too) return MS_OK;
    writer w = {.bound = words[BOUND], .values = module->values, .n_values = module->n_values};
    w.ids = calloc(w.bound, sizeof *w.ids);
    w.out = malloc(n_words * sizeof *w.out); /* no instruction grows */
    if (!w.ids || !w.out) {
        free(w.ids);
        free(w.out);
        return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for a shader of %zu words", n_words);
    }
    for (uint32_t i = 0; i < w.bound; i++) w.ids[i].spec_id = -1;
    put_all(&w, words, HEADER_WORDS);
    for (size_t i = HEADER_WORDS; i < n_words; i += words[i] >> 16) rewrite(&w, words + i, words[i] >> 16);
    free(w.ids);
    *out_words = w.out;
    *out_n_words = w.n_out;
    return MS_OK;
}
