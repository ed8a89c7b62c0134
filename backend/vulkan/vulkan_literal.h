/* Shaders with their specialisation constants written out, for drivers that do not fold them. */
#ifndef MS_BACKEND_VULKAN_VULKAN_LITERAL_H
#define MS_BACKEND_VULKAN_VULKAN_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

/* A SPIR-V module and its specialisation constants, 32-bit numbers all. */
typedef struct ms_vulkan_specialised {
    const uint32_t *words;
    size_t n_words;
    const uint32_t *values; /* of constant i; those from n_values on keep their defaults */
    int n_values;
    bool unrolled_too; /* see ms_vulkan_write_literals */
} ms_vulkan_specialised;

/* A copy of the module in which specialisation constant i is the constant values[i], and what follows from such
   constants is computed.  *out_words is allocated and belongs to the caller; NULL, with MS_OK, for a module that asks
   for loops to be unrolled: a compiler that unrolls a loop of constant length may not compute what `precise` asks for
   (see shaders/common.glsl).  unrolled_too: such a module is not spared; its unrolled loops have literal lengths
   already, or call nothing of backend/exact.h. MS_INTERNAL: the module is damaged; MS_OUT_OF_MEMORY.  Thread-safe. The
   SPIR-V specification, 1.5: sections 2.3 (layout), 3.32.7 (constants). */
ms_status ms_vulkan_write_literals(const ms_vulkan_specialised *module, uint32_t **out_words, size_t *out_n_words);

#endif
