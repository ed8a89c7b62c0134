/* The vector instruction set of the processor.  Thread-safe. */
#ifndef MS_PLATFORM_PROCESSOR_H
#define MS_PLATFORM_PROCESSOR_H

/* The widest one this processor offers: "AVX-512", "AVX2 + FMA", "AVX", "SSE2", "NEON", or "scalar" where it is not
   known. Static. */
const char *ms_processor_vectors(void);

#endif
