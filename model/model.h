/* The transformer (Blueberry and its options) as variables of a table and as a builder of graphs.

   Letters: B sequences, T tokens of a sequence, N = B*T, L layers, C width, H query heads, G key/value heads, D head
   size, F feed-forward width, V vocabulary.  Matrices are stored [out, in] and stacked over layers: [L, out, in].
   Source of the model: vukrosic/muon-llm-research.  Nothing here is thread-safe on one object. */
#ifndef MS_MODEL_MODEL_H
#define MS_MODEL_MODEL_H

#include "backend/backend.h"
#include "backend/exact_constants.h"
#include "backend/ir/graph.h"
#include "model/projections.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Choices, each with its names by value, which end with NULL. */

typedef enum ms_activation { MS_ACTIVATION_RELU2, MS_ACTIVATION_SWIGLU, MS_ACTIVATION_GELU_TANH } ms_activation;
extern const char *const ms_activation_names[];

typedef enum ms_rope_layout { MS_ROPE_INTERLEAVED, MS_ROPE_HALF_SPLIT } ms_rope_layout;
extern const char *const ms_rope_layout_names[];

/* Rotary angles for longer texts than a model was first trained on; f_i = rope_base^(-2i/D) becomes: */
typedef enum ms_rope_scaling {
    MS_ROPE_SCALING_NONE,
    MS_ROPE_SCALING_LINEAR, /* f_i / factor (Chen et al. 2023) */
    MS_ROPE_SCALING_LLAMA3  /* f_i where 2 pi / f_i is short beside the original length, f_i / factor where it is long,
                               and a  mean of both between (Llama 3.1) */
} ms_rope_scaling;
extern const char *const ms_rope_scaling_names[];

/* x += scale * branch */
typedef enum ms_residual_scale {
    MS_RESIDUAL_FIXED,         /* one constant */
    MS_RESIDUAL_LEARNED_LAYER, /* one trained number a layer */
    MS_RESIDUAL_LEARNED_BRANCH /* one for attention and one for feed-forward, each layer */
} ms_residual_scale;
extern const char *const ms_residual_scale_names[];

/* Deviation of layer l of L, t = l / (L - 1). */
typedef enum ms_init_scheme {
    MS_INIT_NORMAL,   /* std */
    MS_INIT_SLOPE,    /* std * (1 + (depth_factor - 1) t): the spectral norm rises linearly with depth */
    MS_INIT_STRETCHED /* std * depth_factor^t: it rises geometrically */
} ms_init_scheme;
extern const char *const ms_init_scheme_names[];

typedef ms_dtype ms_storage; /* MS_DTYPE_F32 or MS_DTYPE_BF16 */
extern const char *const ms_storage_names[];

typedef struct ms_model_config {
    int32_t layers, width, heads, kv_heads, head_size, feed_forward, vocabulary, sequence_length;
    ms_activation activation;
    bool tied_head;
    bool merged; /* q, k, v, o in one matrix */
    bool qk_norm;
    bool qkv_bias;       /* a trained vector is added to queries, keys and values */
    bool keep_logit_max; /* keep the largest attention logit of each head: ms_model.logit_max */
    bool recompute;      /* repeat a layer's forward pass in its backward pass instead of keeping activations */
    ms_storage storage;  /* of activations and of the copies of the matrices that matmuls read: f32 or bf16. Parameters,
                          their gradients, norm gains and statistics, logits and losses are f32 either way */
    ms_rope_layout rope_layout;
    ms_residual_scale residual_scale;
    float residual_scale_init;
    float embedding_scale; /* what a token's vector is multiplied by; 0: sqrt(width) */
    float norm_epsilon;
    float rope_base;
    ms_rope_scaling rope_scaling;
    double rope_factor;           /* of linear and llama3, >= 1 */
    double rope_low, rope_high;   /* of llama3, 0 < low < high: waves in the original length */
    int32_t rope_original_length; /* of llama3, tokens */
    ms_init_scheme init_scheme;
    float init_std;
    float init_depth_factor;
    float init_sigma[MS_N_PROJECTIONS]; /* largest singular value of each projection at the first layer, in the order of
                                           ms_projection_names; the scheme says what it is at others.  0: by init_std */
} ms_model_config;

typedef enum ms_parameter_role {
    MS_ROLE_EMBEDDING,
    MS_ROLE_HEAD,  /* untied output head */
    MS_ROLE_NORM,  /* norm gains */
    MS_ROLE_SCALE, /* learned residual scales */
    MS_ROLE_BIAS,  /* of queries, keys and values */
    MS_ROLE_MATRIX /* matrices of the layers */
} ms_parameter_role;

/* One trained variable.  A matrix variable [L, rows, columns] consists of row groups, each a projection of its own. */
typedef struct ms_parameter {
    int32_t variable, gradient; /* indices in the variables table */
    ms_parameter_role role;
    int32_t n_groups; /* 1 to 4 for matrices, else 0 */
    int64_t group_rows[MS_MAX_ROW_GROUPS];
    const char *group_names[MS_MAX_ROW_GROUPS]; /* "q", "k", "v", "o", "up", "gate", "down"; static */
} ms_parameter;

enum { MS_MAX_PARAMETERS = 24 };

typedef struct ms_model {
    ms_model_config config;
    ms_variables *variables; /* borrowed */
    int32_t n_parameters;
    ms_parameter parameters[MS_MAX_PARAMETERS]; /* in canonical order */
    int32_t embedding, head;                    /* variables; equal when tied */
    int32_t attention_norm, feed_forward_norm, final_norm, q_norm, k_norm, residual_scale; /* -1: not in this model */
    int32_t qkvo, q, k, v, o, up, gate, down;
    int32_t q_bias, k_bias, v_bias; /* [L, H D] and twice [L, G D]; -1: not in this model */
    int32_t rope_table;             /* [T, D]: cos | sin */
    int32_t logit_max; /* f32 [L, H]: largest attention logit q_i k_j / sqrt(D) of each layer and query head over all
                          queries and the keys that they see, of the passes since the last that did not accumulate;
                          NaN where one is.  -1: not kept */
    int64_t parameter_count;
} ms_model;

/* What a token's vector is multiplied by when it is looked up. */
float ms_model_embedding_scale(const ms_model_config *config);

/* Checks config (contradictory shapes and choices out of range name the numbers, MS_INVALID) and adds parameters,
   gradients and the RoPE table to `variables`.  `out` is storage of the caller and needs no finishing. */
ms_status ms_model_init(const ms_model_config *config, ms_variables *variables, ms_model *out);

enum { MS_MODEL_LAYOUT_SIZE = 512 };
/* Which rows of merged matrices are which projection, as JSON, first row and the one after the last:
   {"blocks.*.attention.qkvo.weight": {"q": [0, 32], "k": [32, 48], "v": [48, 64], "o": [64, 96]}}.
   Returns out, or NULL where no matrix is merged. */
const char *ms_model_layout(const ms_model *model, char out[MS_MODEL_LAYOUT_SIZE]);

/* Initial values into the store: matrices, embedding and head normal by Philox keyed by (seed, name), norms 1, biases
   0, residual scales residual_scale_init; the RoPE table.  The same bits for the same seed on every device. */
ms_status ms_model_upload_initial(const ms_model *model, uint64_t seed, ms_store *store);
/* Only the RoPE table: what a resumed run needs besides its checkpoint. */
ms_status ms_model_upload_constants(const ms_model *model, ms_store *store);

/* Final hidden states [N, C], in config.storage, after the last norm, for tokens: an i32 view [N] of batch * sequence
   tokens; sequence <= config.sequence_length. */
ms_tensor ms_model_hidden(const ms_model *model, ms_graph *graph, ms_tensor tokens, int batch, int sequence);

/* What one layer makes on the way, for N = batch * sequence tokens, in config.storage. */
typedef struct ms_layer_activations {
    ms_tensor q, k;   /* [N, H D] and [N, G D], after norm and rotation: as attention takes them */
    ms_tensor stream; /* [N, C]: the residual stream after the layer */
    ms_tensor hidden; /* [N, F]: what the down projection reads */
} ms_layer_activations;
/* The forward pass through all layers, as ms_model_hidden.  out [layers]. */
void ms_model_activations(const ms_model *model, ms_graph *graph, ms_tensor tokens, int batch, int sequence,
                          ms_layer_activations *out);

typedef struct ms_loss_request {
    ms_tensor tokens, targets; /* i32 views [N] */
    int32_t batch, sequence;
    float scale;       /* loss = scale * sum of token losses; 1 / number of targets gives the mean */
    int64_t chunk;     /* tokens whose logits exist at one time; part of the definition of `exact` */
    ms_dtype gradient; /* of the logits: f32; or bf16 where the storage is, which spares its matmuls f32 copies */
} ms_loss_request;

/* The chunk in tokens of `exact`: that of matmul sums, so that chunked and unchunked weight gradients agree. */
enum { MS_LOSS_CHUNK = MS_DEPTH_CHUNK };
/* The default of `fast`: the head and its gradient are read and written once a chunk, so fewer are faster. */
enum { MS_LOSS_CHUNK_FAST = 4096 };
/* Most tokens of one pass: a graph has some nodes for each chunk. */
enum { MS_PASS_TOKENS_MAX = MS_LOSS_CHUNK * MS_LOSS_CHUNKS_MAX };

/* Loss [1]. */
ms_tensor ms_model_loss(const ms_model *model, ms_graph *graph, const ms_loss_request *request);
/* The same, and the loss of each token, f32 [N] in nats; 0 where there is no target. */
ms_tensor ms_model_losses(const ms_model *model, ms_graph *graph, const ms_loss_request *request,
                          ms_tensor *out_losses);
/* Loss, and the gradient of every parameter assigned to (or, with accumulate, added to) its gradient variable; the
   largest logits too (or, with accumulate, the larger ones), where the model keeps them. */
ms_tensor ms_model_loss_and_gradients(const ms_model *model, ms_graph *graph, const ms_loss_request *request,
                                      bool accumulate);

/* f32 logits [N, V] of hidden states [N, C]. */
ms_tensor ms_model_logits(const ms_model *model, ms_graph *graph, ms_tensor hidden);
/* f32 logits [1, V] of the row of `hidden` [N, C] that the i32 view `row` [1] names. */
ms_tensor ms_model_logits_of_row(const ms_model *model, ms_graph *graph, ms_tensor hidden, ms_tensor row);

/* Keys and values of several texts, kept from pass to pass: row t of a text's T = sequence_length rows is token t's. */
typedef struct ms_model_cache {
    int32_t n_texts;
    int32_t k, v; /* variables [L, n_texts * T, G D], in config.storage; k after norm and rotation */
} ms_model_cache;

/* Adds the variables.  MS_INVALID: n_texts below 1, or more rows than an int32 counts. */
ms_status ms_model_cache_init(const ms_model *model, int32_t n_texts, ms_model_cache *out);

/* The final hidden states of the first `sequence` tokens of one text, as ms_model_hidden with a batch of 1, and their
   keys and values into the rows of the cache that the i32 view `rows` [sequence] names (text i: i T, i T + 1, ...; -1:
   this token's are not kept). */
ms_tensor ms_model_prefill(const ms_model *model, ms_graph *graph, const ms_model_cache *cache, ms_tensor tokens,
                           ms_tensor rows, int sequence);

typedef struct ms_decode_request {
    ms_tensor tokens;    /* i32 view [n]: of any texts, and several of one text in any order */
    ms_tensor positions; /* i32 view [n]: of each token in its text, [0, T) */
    ms_tensor rows;      /* i32 view [n]: its row of the cache, each once; -1: no token, whose results mean nothing */
    int32_t n;
} ms_decode_request;
/* The final hidden states [n, C] of the tokens, whose keys and values are put into the cache before any of them looks
   there.  A token sees the rows of its text up to its own, which must have been filled.  In `exact` the results have
   the bits that the pass over the whole text gives.  There is no gradient. */
ms_tensor ms_model_decode(const ms_model *model, ms_graph *graph, const ms_model_cache *cache,
                          const ms_decode_request *request);

#ifdef __cplusplus
}
#endif

#endif
