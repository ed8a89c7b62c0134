#include "library/layout.h"

#include <stdint.h>

#include "model/checkpoint/safetensors.h"
#include "model/foreign/foreign.h"
#include "model/foreign/parts.h"
#include "model/foreign/sizes.h"
#include "tracker/analysis.h"
#include "tracker/elements.h"
#include "tracker/spectrum.h"
#include "tracker/tracked_matrix.h"
#include "tracker/tracker.h"

/* Enumerations are unsigned integers to GCC and Clang.  What is none of these is a pointer: Python refuses one of
   another size. */
#define TYPE_OF(value)                                                                                                 \
    _Generic((value), bool                                                                                             \
             : "?", char                                                                                               \
             : "c", int                                                                                                \
             : "i", unsigned                                                                                           \
             : "I", int64_t                                                                                            \
             : "q", size_t                                                                                             \
             : "Q", double                                                                                             \
             : "d", default                                                                                            \
             : "P")

static const ms_layout rows[] = {
#define MEMBER(of, name) {#of, #name, TYPE_OF(((of *)0)->name), offsetof(of, name), sizeof((of *)0)->name},
#define ARRAY(of, name) {#of, #name, TYPE_OF(((of *)0)->name[0]), offsetof(of, name), sizeof((of *)0)->name},
#define NESTED(of, name, type) {#of, #name, #type, offsetof(of, name), sizeof((of *)0)->name},
#define WHOLE(of) {#of, "", "", 0, sizeof(of)},
#define CONSTANT(enumeration, name) {#enumeration, #name, "=", MS_ELEMENT_##name, 0},
#include "library/layout.def"
};

bool ms_layout_row(int i, ms_layout *out) {
    if (i < 0 || (size_t)i >= sizeof rows / sizeof *rows) return false;
    *out = rows[i];
    return true;
}
