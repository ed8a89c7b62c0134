#include "cli/export/hf_card.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/version.h"
#include "model/hf/architecture.h"
#include "tracker/compare/run_lines.h"

/* ---- losses ---- */

struct losses {
    int64_t step;                               /* of the checkpoint */
    double training, validation, bits_per_byte; /* NAN: none */
    int64_t validation_step;
};

static double number_of(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static ms_status keep_line(void *context, const ms_run_line *line) {
    struct losses *losses = context;
    if (line->step > losses->step) return MS_OK;
    double loss = number_of(line->object, "loss"), validation = number_of(line->object, "validation_loss");
    if (line->step == losses->step && !isnan(loss)) losses->training = loss;
    if (isnan(validation)) return MS_OK;
    losses->validation = validation;
    losses->bits_per_byte = number_of(line->object, "validation_bits_per_byte");
    losses->validation_step = line->step;
    return MS_OK;
}

/* ---- the text ---- */

static int64_t count_parameters(const ms_checkpoint *checkpoint) {
    const ms_safetensors *file = ms_checkpoint_model(checkpoint);
    int64_t n = 0;
    for (size_t i = 0; i < ms_safetensors_count(file); i++)
        n += (int64_t)(ms_safetensors_at(file, i)->size_bytes / sizeof(float));
    return n;
}

/* The last part of a path. */
static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void put_head(FILE *out, const ms_export_hf_card *card, const char *architecture) {
    fprintf(out, "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- muonscope\n---\n\n");
    fprintf(out, "# %s\n\n", last_part(card->run));
    fprintf(out, "Trained by muonscope, and written by `muonscope export hf` (version %s) as `%s`.\n\n", ms_version(),
            architecture);
}

static void put_losses(FILE *out, const struct losses *losses) {
    if (!isnan(losses->training))
        fprintf(out, "| training loss at step %" PRId64 ", nats a token | %.4f |\n", losses->step, losses->training);
    if (!isnan(losses->validation))
        fprintf(out, "| validation loss at step %" PRId64 ", nats a token | %.4f |\n", losses->validation_step,
                losses->validation);
    if (!isnan(losses->validation) && !isnan(losses->bits_per_byte))
        fprintf(out, "| the same in bits a byte of text | %.4f |\n", losses->bits_per_byte);
}

static void put_table(FILE *out, const ms_export_hf_card *card, const struct losses *losses) {
    const ms_model_config *m = card->model;
    const ms_config *c = card->config;
    const ms_checkpoint_info *info = ms_checkpoint_get_info(card->checkpoint);
    const ms_checkpoint_entry *weights;
    fprintf(out, "| | |\n|---|---|\n");
    fprintf(out, "| trained parameters | %" PRId64 " |\n", count_parameters(card->checkpoint));
    fprintf(out, "| layers, width, feed-forward | %d, %d, %d |\n", m->layers, m->width, m->feed_forward);
    fprintf(out, "| heads, of keys and values, their size | %d, %d, %d |\n", m->heads, m->kv_heads, m->head_size);
    fprintf(out, "| vocabulary, sequence length in training | %d, %d |\n", m->vocabulary, m->sequence_length);
    fprintf(out, "| steps, tokens seen | %" PRId64 ", %" PRId64 " |\n", info->step, info->tokens);
    put_losses(out, losses);
    fprintf(out, "| optimizer of the layer matrices | %s |\n", ms_optimizer_kind_names[c->optimizer.name]);
    fprintf(out, "| seed | %" PRId64 " |\n", info->seed);
    if (ms_checkpoint_find(card->checkpoint, "weights_sha256", MS_CHECKPOINT_TEXT, &weights) == MS_OK)
        fprintf(out, "| SHA-256 of the checkpoint's weights | `%s` |\n", weights->text);
}

/* AutoTokenizer gives every model of type qwen2 the splitting of Qwen2's own tokenizer (transformers 5.24). */
static void put_use(FILE *out, const ms_export_hf_card *card) {
    if (card->tokenizer_ids == 0) {
        fprintf(out, "\nThe run had no tokenizer: its data are token ids.\n");
        return;
    }
    const char *first = card->end_of_text ? card->end_of_text : "";
    const char *reader = card->model->qkv_bias ? "PreTrainedTokenizerFast" : "AutoTokenizer";
    fprintf(out,
            "\n## Use\n\n```python\nfrom transformers import AutoModelForCausalLM, %s\n\n"
            "tokenizer = %s.from_pretrained(\".\")\n"
            "model = AutoModelForCausalLM.from_pretrained(\".\")\n"
            "ids = tokenizer(\"%sOnce\", return_tensors=\"pt\")\n"
            "print(tokenizer.decode(model.generate(**ids, max_new_tokens=50)[0]))\n```\n\n",
            reader, reader, first);
    if (card->model->qkv_bias)
        fprintf(out,
                "`AutoTokenizer` would split text as Qwen2's own tokenizer does, whatever `tokenizer.json` says.\n");
    if (card->end_of_text)
        fprintf(out, "In training `%s` stands before each document: put it before a prompt.\n", card->end_of_text);
    if (card->model->vocabulary > card->tokenizer_ids)
        fprintf(out,
                "The model has %d ids, the tokenizer %d: the ids from %d on were never trained and mean nothing.\n",
                card->model->vocabulary, card->tokenizer_ids, card->tokenizer_ids);
}

static void put_mapping(FILE *out, const ms_export_hf_card *card, const ms_hf_architecture *architecture) {
    const ms_model_config *m = card->model;
    fprintf(out, "\n## How it was mapped\n\nThe function is the one that was trained; weights are %s.\n\n",
            card->dtype == MS_DTYPE_BF16 ? "bf16, each rounded to nearest even" : "f32");
    double scale = (double)ms_model_embedding_scale(m);
    if (scale != 1)
        fprintf(out, "- `embed_tokens` is the embedding times %.9g%s.\n", scale,
                m->tied_head ? ", and `norm` the last norm's gains divided by it, since the head is tied" : "");
    if (architecture->gate_is_up)
        fprintf(out, "- `gate_proj` is `up_proj`, and `hidden_act` relu: relu(z) z = relu(z)^2.\n");
    if (m->rope_layout == MS_ROPE_INTERLEAVED)
        fprintf(
            out,
            "- Rows of each head of `q_proj` and `k_proj`%s stand in the order 0, 2, 4, ..., 1, 3, 5, ...: here the "
            "pairs (2i, 2i+1) are rotated, there (i, i + %d).\n",
            m->qk_norm    ? ", and gains of `q_norm` and `k_norm`,"
            : m->qkv_bias ? ", and their biases,"
                          : "",
            m->head_size / 2);
    if (m->residual_scale != MS_RESIDUAL_FIXED || m->residual_scale_init != 1)
        fprintf(out, "- `o_proj` and `down_proj` have the residual scales in them.\n");
    if (m->storage != MS_DTYPE_F32)
        fprintf(out, "- The run computed with activations in bf16; in f32 the last digits are others.\n");
}

ms_status ms_export_hf_card_text(const ms_export_hf_card *card, char **out) {
    ms_hf_architecture architecture;
    size_t size;
    *out = NULL;
    struct losses losses = {.step = ms_checkpoint_get_info(card->checkpoint)->step,
                            .training = NAN,
                            .validation = NAN,
                            .bits_per_byte = NAN};
    ms_run_line_faults faults = {0};
    MS_TRY(ms_hf_architecture_of(card->model, &architecture));
    MS_TRY(ms_run_lines_read(card->run, "metrics.jsonl", keep_line, &losses, &faults));
    FILE *stream = open_memstream(out, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for the model card");
    put_head(stream, card, architecture.name);
    put_table(stream, card, &losses);
    put_use(stream, card);
    put_mapping(stream, card, &architecture);
    bool failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !failed) return MS_OK;
    free(*out);
    *out = NULL;
    return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for the model card");
}
