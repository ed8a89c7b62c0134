#include "backend/ir/op.h"

#include <string.h>

#define ALIAS(output, input) (1u << ((output)*MS_MAX_INPUTS + (input)))

static const ms_op_info table[MS_OP_COUNT] = {
#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, gradient, cost, flops, aliases, documentation)       \
    {#lower, min_in, max_in, n_out, aliases, MS_OP_KIND_##kind, #gradient, documentation},
#include "backend/ir/ops.def"
#undef OP
};

const ms_op_info *ms_op_get(ms_op op) { return &table[op]; }

ms_op ms_op_find(const char *name) {
    for (int i = 0; i < MS_OP_COUNT; i++)
        if (strcmp(table[i].name, name) == 0) return (ms_op)i;
    return MS_OP_COUNT;
}

bool ms_op_may_alias(ms_op op, int output, int input) { return (table[op].aliases & ALIAS(output, input)) != 0; }

bool ms_op_is_differentiable(ms_op op) { return strcmp(table[op].gradient, "none") != 0; }
