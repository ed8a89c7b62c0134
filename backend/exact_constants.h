/* The numbers by which `exact` numerics cut their sums into parts.  They define the order of additions, so every one of
   them is part of every result: no device, kernel or setting has another.  The same text serves C, CUDA and GLSL
   (define MS_EXACT_GLSL), as unscoped enumerators or uint constants. */
#ifndef MS_BACKEND_EXACT_CONSTANTS_H
#define MS_BACKEND_EXACT_CONSTANTS_H

#if defined(MS_EXACT_GLSL)
#define MS_EXACT_CONSTANT(name, value) const uint name = value
#else
#define MS_EXACT_CONSTANT(name, value) enum { name = value }
#endif

/* Matmuls (matmul, gram, the weighted rows of attention and attention_grad): a sum over a depth of more
   than this is the sum, ascending, of the sums of chunks of this many terms: backend/cpu/matmul.c.  A chunk of tokens
   of the loss is one of these, so that chunked and unchunked weight gradients agree. */
MS_EXACT_CONSTANT(MS_DEPTH_CHUNK, 512);

/* Reductions (sums, norms, the weights of attention): lane l of a block adds the terms l, l + lanes, l + 2 lanes, ...;
   a halving tree over the lanes follows: backend/cpu/reduce.h. */
MS_EXACT_CONSTANT(MS_LANES, 32);

/* Reductions: terms of a block.  The sums of blocks are terms of the level above, by the same rule. */
MS_EXACT_CONSTANT(MS_REDUCE_BLOCK, 4096);

#endif
