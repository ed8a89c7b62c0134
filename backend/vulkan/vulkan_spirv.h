/* What a shader's SPIR-V says of float arithmetic, beyond `precise` on each result.

   Without execution modes Vulkan lets a driver round to nearest or towards zero, ignore the sign of zero, take for
   granted that there is no NaN and no infinity, and flush subnormals or not (Vulkan 1.2, appendix "Vulkan Environment
   for SPIR-V").  Where a device can be held to what `exact` means, `exact` shaders ask for it; what it cannot promise
   is only measured, by the probe. */
#ifndef MS_BACKEND_VULKAN_VULKAN_SPIRV_H
#define MS_BACKEND_VULKAN_VULKAN_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

/* Execution modes of SPIR-V 1.4 and later, for 32-bit floats. */
typedef struct ms_vulkan_float_modes {
    bool keep_special;    /* SignedZeroInfNanPreserve */
    bool round_to_even;   /* RoundingModeRTE */
    bool keep_subnormals; /* DenormPreserve */
} ms_vulkan_float_modes;

enum { MS_VULKAN_MODE_WORDS = 3 * (2 + 4) }; /* most words that modes add */

/* Copies a module of one entry point, with the modes.  out: n_words + MS_VULKAN_MODE_WORDS; *out_n_words: words used.
   MS_INVALID: not such a module.  Thread-safe. */
ms_status ms_vulkan_spirv_with_modes(const uint32_t *words, size_t n_words, ms_vulkan_float_modes modes, uint32_t *out,
                                     size_t *out_n_words);

#endif
