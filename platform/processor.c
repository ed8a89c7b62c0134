#include "platform/processor.h"

const char *ms_processor_vectors(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "AVX-512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2 + FMA";
    if (__builtin_cpu_supports("avx")) return "AVX";
    if (__builtin_cpu_supports("sse2")) return "SSE2";
    return "scalar";
#elif defined(__aarch64__)
    return "NEON"; /* every 64-bit Arm processor has it */
#else
    return "scalar";
#endif
}
