/* muonscope evaluate */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/config/init_from.h"
#include "cli/data_inputs.h"
#include "cli/run_model.h"
#include "model/checkpoint/checkpoint.h"
#include "model/data/corpus.h"
#include "model/data/dataset.h"
#include "model/data/dataset_sidecar.h"
#include "platform/json.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "tracker/run_log.h"
#include "train/evaluator.h"
#include "train/settings.h"

struct arguments {
    const char *split, *data, *device, *format, *field, *documents, *on_error;
    int64_t sequences, stride, step, threads, document_bytes, sequence_length;
    bool jsonl, no_bos;
};

static const ms_option command_options[] = {
    {"split", MS_OPTION_STRING, offsetof(struct arguments, split), NULL, "train|val",
     "Without FILE: the split of the data (default val)"},
    {"data", MS_OPTION_STRING, offsetof(struct arguments, data), NULL, "DIR",
     "Without FILE: the folder of shards, of the run's tokenizer (default: the run's data.directory)"},
    {"sequences", MS_OPTION_COUNT, offsetof(struct arguments, sequences), NULL, "N",
     "Without FILE: how many, from the first on; 0: all (default: the run's validation.sequences)"},
    {"stride", MS_OPTION_COUNT, offsetof(struct arguments, stride), NULL, "N",
     "With FILE: tokens from one window to the next in documents longer than a sequence (default: a sequence)"},
    {"jsonl", MS_OPTION_FLAG, offsetof(struct arguments, jsonl), NULL, NULL,
     "With FILE: a line of JSON for each document on standard output; the sum goes to the error stream"},
    {"format", MS_OPTION_STRING, offsetof(struct arguments, format), NULL, "auto|text|jsonl|...",
     "With FILE: as data prepare's (default auto)"},
    {"field", MS_OPTION_STRING, offsetof(struct arguments, field), NULL, "KEY",
     "With FILE: JSONL's key of the text, or of the ids (default text, or input_ids)"},
    {"documents", MS_OPTION_STRING, offsetof(struct arguments, documents), NULL, "chunk|blank|file",
     "With FILE: where a document of a text ends (default file)"},
    {"document_bytes", MS_OPTION_COUNT, offsetof(struct arguments, document_bytes), NULL, "N",
     "With FILE: longest document of the rule chunk (default 8192)"},
    {"on_error", MS_OPTION_STRING, offsetof(struct arguments, on_error), NULL, "stop|skip|replace",
     "With FILE: a record that is wrong, as data prepare's (default stop)"},
    {"sequence_length", MS_OPTION_COUNT, offsetof(struct arguments, sequence_length), NULL, "N",
     "With HF_FOLDER: tokens that are seen at once (default: its positions, at most 2048)"},
    {"no_bos", MS_OPTION_FLAG, offsetof(struct arguments, no_bos), NULL, NULL,
     "With HF_FOLDER and FILE: documents are read without its bos_token_id before them"},
    MS_RUN_MODEL_OPTIONS(struct arguments),
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "evaluate",
    "RUN|HF_FOLDER [FILE...]",
    "The loss of a run's weights, or those of a Hugging Face folder: on sequences of data, or on the documents of "
    "text, "
    "JSONL or token ids.",
    command_options,
    1,
    -1,
    NULL,
    "A document is read after the token that begins each document of the data (<|endoftext|>, as a rule; of HF_FOLDER "
    "its\n"
    "bos_token_id), and all of its tokens are scored; without such a token all but the first.  log_likelihood is in "
    "nats, bits per byte count the "
    "bytes\n"
    "of the document's text.  What is longer than a sequence is read in windows: --stride.\n"};

/* Where a document is from. */
typedef struct about_document {
    const char *source; /* borrowed from the command line */
    uint64_t i_line;
    int64_t n_bytes;
} about_document;

enum { TITLE_SIZE = 4200 };

/* What the work holds. */
typedef struct evaluation {
    const struct arguments *arguments;
    const char *path;            /* of the run, or of the Hugging Face folder */
    const ms_run_folder *folder; /* NULL: a Hugging Face folder */
    ms_run_model run;
    ms_evaluator *evaluator;
    int64_t step; /* of the checkpoint */
    /* The documents of files. */
    const char *source;
    ms_tokens tokens;
    about_document *abouts; /* [capacity]: of documents from number i_about on, whose scores are to come */
    size_t n_abouts, capacity;
    int64_t i_about, n_documents, n_scored, n_bytes;
    double log_likelihood;
    ms_record_counts counts;
} evaluation;

static ms_status open_weights(evaluation *work) {
    const ms_run_model *run = &work->run;
    MS_TRY(ms_evaluator_open(run->device, &run->model, (int32_t)run->config.train.batch_sequences, &work->evaluator));
    if (!work->folder) {
        const ms_weight_source source = {ms_init_from_fill, work->run.source};
        return ms_evaluator_load_from(work->evaluator, &source);
    }
    ms_checkpoint *checkpoint;
    MS_TRY(ms_checkpoint_open_or_name(work->folder->checkpoints, work->arguments->step, "--step", &checkpoint));
    work->step = ms_checkpoint_get_info(checkpoint)->step;
    ms_status status = ms_evaluator_load(work->evaluator, ms_checkpoint_model(checkpoint));
    ms_checkpoint_close(checkpoint);
    return status;
}

/* What was evaluated: "runs/a, step 40", or a folder's name. */
static const char *title_of(const evaluation *work, char *out, size_t size) {
    if (work->folder)
        snprintf(out, size, "%s, step %" PRId64, work->path, work->step);
    else
        snprintf(out, size, "%s", work->path);
    return out;
}

/* "loss 3.21 nats a token, perplexity 24.8, 1.5432 bits per byte". */
static void print_loss(FILE *stream, double loss, double bits_per_byte) {
    fprintf(stream, "loss %.6f nats a token, perplexity %.4g", loss, exp(loss));
    if (isfinite(bits_per_byte)) fprintf(stream, ", %.6f bits per byte", bits_per_byte);
    fputc('\n', stream);
}

/* ---- sequences of shards ---- */

static ms_status evaluate_sequences(evaluation *work, ms_dataset *dataset) {
    const struct arguments *arguments = work->arguments;
    int64_t n = arguments->sequences >= 0 ? arguments->sequences : work->run.config.validation.sequences, n_targets = 0;
    int64_t all = ms_dataset_sequences(dataset), batch = work->run.config.train.batch_sequences;
    if (n == 0 || n > all) n = all;
    int64_t length = work->run.model.sequence_length;
    int32_t *tokens = calloc(2 * (size_t)(batch * length), sizeof *tokens), *targets = tokens + batch * length;
    float *losses = calloc((size_t)(batch * length), sizeof *losses);
    double sum = 0;
    ms_status status = tokens && losses ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "evaluate: no memory for a batch");
    for (int64_t i = 0; i < n && status == MS_OK; i += batch) {
        int64_t here = n - i < batch ? n - i : batch;
        for (int64_t j = here * length; j < batch * length; j++) targets[j] = MS_NO_TARGET;
        status = ms_dataset_next(dataset, (int)here, tokens, targets);
        if (status == MS_OK) status = ms_evaluator_losses(work->evaluator, tokens, targets, losses);
        if (status == MS_OK) status = ms_signals_check("the evaluation");
        for (int64_t j = 0; j < here * length; j++) {
            n_targets += targets[j] != MS_NO_TARGET;
            sum += (double)losses[j];
        }
    }
    free(tokens);
    free(losses);
    MS_TRY(status);
    double loss = sum / (double)n_targets, bytes = (double)ms_dataset_text_bytes(dataset);
    char title[TITLE_SIZE];
    ms_print_line(stdout,
                  "%s: %" PRId64 " of %" PRId64 " sequences of %" PRId64 " tokens of the %s split, %" PRId64 " targets",
                  title_of(work, title, sizeof title), n, all, length, arguments->split, n_targets);
    print_loss(stdout, loss, bytes > 0 ? loss / log(2.0) * (double)ms_dataset_tokens(dataset) / bytes : NAN);
    return MS_OK;
}

static ms_status evaluate_data(evaluation *work) {
    ms_dataset_options options = {
        .directory = work->arguments->data ? work->arguments->data : work->run.config.data.directory,
        .split = work->arguments->split,
        .sequence_length = work->run.model.sequence_length,
        .seed = (uint64_t)work->run.config.train.seed,
        .vocab_size = work->run.model.vocabulary,
        .tokenizer_sha256 = work->run.tokenizer ? ms_tokenizer_sha256(work->run.tokenizer) : NULL};
    ms_dataset *dataset;
    MS_TRY(ms_dataset_open(&options, &dataset));
    ms_status status = evaluate_sequences(work, dataset);
    ms_dataset_close(dataset);
    return status;
}

/* ---- documents of files ---- */

static ms_status print_document(const evaluation *work, const about_document *about, int64_t n_scored,
                                double log_likelihood) {
    json_t *line;
    double bits = -log_likelihood / log(2.0);
    MS_TRY(ms_json_pack(&line, "evaluate: a line", "{s:I, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "document",
                        (json_int_t)work->n_documents, "source", about->source, "line", (json_int_t)about->i_line,
                        "bytes", (json_int_t)about->n_bytes, "tokens", (json_int_t)n_scored, "log_likelihood",
                        json_real(log_likelihood), "loss", ms_run_log_real(-log_likelihood / (double)n_scored),
                        "bits_per_byte", ms_run_log_real(bits / (double)about->n_bytes)));
    ms_status status = ms_json_print(line, "evaluate: a line", JSON_COMPACT | JSON_REAL_PRECISION(17), stdout);
    json_decref(line);
    return status;
}

static ms_status take_score(void *context, int64_t i_document, int64_t n_scored, double log_likelihood) {
    evaluation *work = context;
    const about_document *about = &work->abouts[i_document - work->i_about];
    if (work->arguments->jsonl) MS_TRY(print_document(work, about, n_scored, log_likelihood));
    work->n_documents++;
    work->n_scored += n_scored;
    work->n_bytes += about->n_bytes;
    work->log_likelihood += log_likelihood;
    return MS_OK;
}

/* Remembers where a document is from; those whose scores were handed out are forgotten. */
static ms_status remember(evaluation *work, const ms_document *document, int64_t n_bytes) {
    size_t n_done = (size_t)(work->n_documents - work->i_about);
    if (n_done > 0) memmove(work->abouts, work->abouts + n_done, (work->n_abouts - n_done) * sizeof *work->abouts);
    work->n_abouts -= n_done;
    work->i_about = work->n_documents;
    if (work->n_abouts == work->capacity) {
        size_t capacity = work->capacity ? 2 * work->capacity : 256;
        about_document *larger = realloc(work->abouts, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "evaluate: no memory for %zu documents", capacity);
        work->abouts = larger;
        work->capacity = capacity;
    }
    work->abouts[work->n_abouts++] = (about_document){work->source, document->i_line, n_bytes};
    return MS_OK;
}

/* The document's tokens into work->tokens, and the bytes of its text. */
static ms_status take_tokens(evaluation *work, const ms_document *document, int64_t *out_bytes) {
    work->tokens.n = 0;
    if (work->run.end_of_text >= 0) MS_TRY(ms_tokens_append(&work->tokens, work->run.end_of_text));
    *out_bytes = (int64_t)document->size_bytes;
    if (!document->ids)
        return ms_tokenizer_encode(work->run.tokenizer, document->text, document->size_bytes, MS_SPECIAL_AS_TEXT,
                                   &work->tokens);
    char *text;
    size_t size_bytes;
    MS_TRY(ms_tokens_append_all(&work->tokens, document->ids, document->n_ids));
    MS_TRY(ms_tokenizer_decode(work->run.tokenizer, document->ids, document->n_ids, false, &text, &size_bytes));
    free(text);
    *out_bytes = (int64_t)size_bytes;
    return MS_OK;
}

static ms_status add_document(evaluation *work, ms_scorer *scorer, const ms_document *document) {
    int64_t n_bytes;
    MS_TRY(take_tokens(work, document, &n_bytes));
    MS_TRY(remember(work, document, n_bytes));
    MS_TRY(ms_scorer_add(scorer, work->tokens.ids, (int64_t)work->tokens.n));
    return ms_signals_check("the evaluation");
}

static ms_status add_file(evaluation *work, ms_scorer *scorer, const ms_corpus_options *options) {
    ms_corpus *corpus;
    MS_TRY(ms_corpus_open(work->source, options, &corpus));
    ms_status status = MS_OK;
    while (status == MS_OK) {
        ms_document document;
        status = ms_corpus_next(corpus, &document);
        if (status != MS_OK || (!document.text && !document.ids)) break;
        status = add_document(work, scorer, &document);
        if (status != MS_OK && status != MS_INTERRUPTED)
            ms_status_note(status, "%s, line %" PRIu64, ms_corpus_name(corpus), document.i_line);
    }
    ms_record_counts_add(&work->counts, ms_corpus_counts(corpus));
    ms_corpus_close(corpus);
    return status;
}

/* As the command line has them. */
static ms_status set_corpus(const struct arguments *arguments, ms_corpus_options *out) {
    *out = (ms_corpus_options){.field = arguments->field,
                               .chunk_bytes = (size_t)arguments->document_bytes,
                               .accepts_ids = true,
                               .chunk_ids = MS_CORPUS_DOCUMENT_MAX / sizeof(int32_t)};
    if (!ms_corpus_format_from_name(arguments->format, &out->format))
        return MS_FAIL(MS_USAGE, "--format %s: auto, text, jsonl, llmc, npy, uint16, uint32 or ids is needed",
                       arguments->format);
    if (!ms_on_error_from_name(arguments->on_error, &out->on_error))
        return MS_FAIL(MS_USAGE, "--on_error %s: stop, skip or replace is needed", arguments->on_error);
    if (!ms_documents_from_name(arguments->documents, &out->documents))
        return MS_FAIL(MS_USAGE, "--documents %s: chunk, blank or file is needed", arguments->documents);
    return MS_OK;
}

static ms_status evaluate_files(evaluation *work, const ms_data_inputs *inputs) {
    ms_corpus_options options_of_files;
    if (!work->run.tokenizer)
        return MS_FAIL(MS_NOT_FOUND, "evaluate: %s has no tokenizer to read a text with", work->path);
    MS_TRY(set_corpus(work->arguments, &options_of_files));
    options_of_files.end_id = work->run.end_of_text;
    options_of_files.vocab_size = ms_tokenizer_vocab_size(work->run.tokenizer);
    int64_t length = work->run.model.sequence_length;
    int64_t stride = work->arguments->stride >= 0 ? work->arguments->stride : length;
    ms_scorer *scorer;
    MS_TRY_NOTE(ms_scorer_create(work->evaluator, stride, take_score, work, &scorer), "--stride");
    ms_status status = MS_OK;
    for (int i = 0; i < inputs->n && status == MS_OK; i++) {
        work->source = inputs->paths[i];
        status = add_file(work, scorer, &options_of_files);
    }
    if (status == MS_OK) status = ms_scorer_finish(scorer);
    ms_scorer_destroy(scorer);
    MS_TRY(status);
    ms_record_counts_print(&work->counts, stderr);
    if (work->n_scored == 0)
        return MS_FAIL(
            MS_INVALID, "%s: no token was scored: it is empty, blank, or all of it was left out%s", inputs->paths[0],
            work->run.end_of_text >= 0
                ? ""
                : ", or has one token a document (without a token to begin documents the first is not scored)");
    FILE *stream = work->arguments->jsonl ? stderr : stdout;
    char title[TITLE_SIZE], begin[48] = "";
    if (!work->folder && work->run.end_of_text >= 0)
        snprintf(begin, sizeof begin, ", each document after token %d", work->run.end_of_text);
    ms_print_line(stream, "%s: %" PRId64 " documents, %" PRId64 " bytes, %" PRId64 " tokens%s",
                  title_of(work, title, sizeof title), work->n_documents, work->n_bytes, work->n_scored, begin);
    print_loss(stream, -work->log_likelihood / (double)work->n_scored,
               -work->log_likelihood / log(2.0) / (double)work->n_bytes);
    return MS_OK;
}

/* ---- the command ---- */

static ms_status open_model(evaluation *work) {
    const struct arguments *arguments = work->arguments;
    if (work->folder)
        return ms_run_model_open(work->folder, "evaluate", false, arguments->device, arguments->threads, &work->run);
    int64_t length = arguments->sequence_length > 0 ? arguments->sequence_length : 0;
    MS_TRY(ms_hf_model_open(work->path, length, arguments->device, arguments->threads, &work->run));
    if (arguments->no_bos) work->run.end_of_text = -1;
    return MS_OK;
}

/* folder NULL: path is a Hugging Face folder. */
static ms_status evaluate(const struct arguments *arguments, const char *path, const ms_run_folder *folder,
                          const ms_data_inputs *inputs) {
    evaluation work = {.arguments = arguments, .path = path, .folder = folder};
    MS_TRY(ms_signals_catch());
    MS_TRY(open_model(&work));
    ms_status status = open_weights(&work);
    if (status == MS_MISMATCH && folder) status = ms_settings_note_fault(status, folder->config);
    if (status == MS_OK) status = inputs->n > 0 ? evaluate_files(&work, inputs) : evaluate_data(&work);
    ms_evaluator_close(work.evaluator);
    ms_run_model_finish(&work.run);
    ms_tokens_finish(&work.tokens);
    free(work.abouts);
    return status;
}

/* Options of the one kind of work that are given with the other. */
static ms_status check(const struct arguments *arguments, bool has_files) {
    const struct {
        const char *name;
        bool given, of_files;
    } kinds[] = {{"split", arguments->split != NULL, false},
                 {"data", arguments->data != NULL, false},
                 {"sequences", arguments->sequences >= 0, false},
                 {"stride", arguments->stride >= 0, true},
                 {"jsonl", arguments->jsonl, true},
                 {"format", arguments->format != NULL, true},
                 {"field", arguments->field != NULL, true},
                 {"documents", arguments->documents != NULL, true},
                 {"on_error", arguments->on_error != NULL, true},
                 {"document_bytes", arguments->document_bytes >= 0, true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].given && kinds[i].of_files != has_files)
            return MS_FAIL(MS_USAGE, "--%s: %s", kinds[i].name,
                           has_files ? "it is of the data's sequences, and a FILE is given"
                                     : "it is of the documents of a FILE, and none is given");
    if (arguments->sequence_length >= 0 && arguments->sequence_length < 2)
        return MS_FAIL(MS_USAGE, "--sequence_length %" PRId64 ": at least 2 are needed", arguments->sequence_length);
    if (arguments->document_bytes >= 0 && arguments->document_bytes < 64)
        return MS_FAIL(MS_USAGE, "--document_bytes %" PRId64 ": at least 64 are needed", arguments->document_bytes);
    return MS_OK;
}

/* Options of a run that are given with a Hugging Face folder, or the other way. */
static ms_status check_for(const struct arguments *arguments, bool is_hf, bool has_files) {
    if (!is_hf && (arguments->no_bos || arguments->sequence_length >= 0))
        return MS_FAIL(MS_USAGE, "--%s: it is of a Hugging Face folder, and a run says it itself",
                       arguments->no_bos ? "no_bos" : "sequence_length");
    if (is_hf && arguments->step >= 0) return MS_FAIL(MS_USAGE, "--step: a Hugging Face folder has no checkpoints");
    if (is_hf && !has_files && !arguments->data)
        return MS_FAIL(MS_USAGE, "evaluate: a Hugging Face folder has no data of its own: name a FILE, or --data DIR");
    return MS_OK;
}

static ms_status evaluate_run(const struct arguments *arguments, const char *path, const ms_data_inputs *inputs) {
    ms_run_folder folder;
    ms_status opened = ms_run_folder_open(path, &folder);
    if (opened == MS_NOT_FOUND)
        return MS_FAIL(opened, "%s (evaluate takes a run or a Hugging Face folder, which has a config.json)",
                       ms_status_message());
    MS_TRY(opened);
    ms_status status = evaluate(arguments, path, &folder, inputs);
    ms_run_folder_close(&folder);
    return status;
}

const ms_command *const ms_commands_evaluate[] = {&command, NULL};

int ms_cmd_evaluate(int argc, char **argv) {
    struct arguments arguments = {
        .sequences = -1, .stride = -1, .step = -1, .document_bytes = -1, .sequence_length = -1};
    ms_positionals positionals;
    ms_data_inputs inputs = {0};
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK) status = check(&arguments, positionals.n_items > 1);
    bool is_hf = status == MS_OK && ms_is_hf_folder(positionals.items[0]);
    if (status == MS_OK) status = check_for(&arguments, is_hf, positionals.n_items > 1);
    if (!arguments.split) arguments.split = "val";
    if (!arguments.format) arguments.format = "auto";
    if (!arguments.documents) arguments.documents = "file";
    if (!arguments.on_error) arguments.on_error = "stop";
    if (arguments.document_bytes < 0) arguments.document_bytes = 8192;
    ms_corpus_options unused;
    if (status == MS_OK) status = set_corpus(&arguments, &unused); /* a wrong name is said before a model is opened */
    for (int i = 1; status == MS_OK && i < positionals.n_items; i++)
        status = ms_data_inputs_add(&inputs, positionals.items[i]);
    if (status == MS_OK)
        status = is_hf ? evaluate(&arguments, positionals.items[0], NULL, &inputs)
                       : evaluate_run(&arguments, positionals.items[0], &inputs);
    ms_data_inputs_finish(&inputs);
    return ms_exit_status(status);
}
