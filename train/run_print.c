/* What a run says of itself before it starts. */
#include "optim/schedule.h"
#include "platform/output.h"
#include "train/run.h"
#include "train/trainer_group.h"

void ms_run_device(const ms_run *run, char *out, size_t size) {
    const ms_device *device = run->device;
    const ms_device_info *info = ms_device_get_info(device);
    const char *name = run->trainer->options.device_name, *numerics = ms_numerics_name(run->trainer->numerics);
    if (ms_device_threads(device) > 0)
        snprintf(out, size, "%s, %d threads, kernels for %s, %s numerics", name, ms_device_threads(device),
                 info->kernels, numerics);
    else
        snprintf(out, size, "%s, %s numerics: %s, %s%s", name, numerics, info->description,
                 info->uuid[0] ? "UUID " : "", info->uuid[0] ? info->uuid : "no UUID");
}

/* One line, when there are any. */
static void print_interventions(const ms_interventions *x, int n_layers, FILE *stream) {
    const char *between = "interventions ";
    if (x->noise != 0) {
        int last = x->noise_last_layer < 0 ? n_layers - 1 : x->noise_last_layer;
        fprintf(stream, "%snoise %g %s orthogonalisation, layers %d to %d", between, (double)x->noise,
                ms_noise_place_names[x->noise_place], x->noise_first_layer, last);
        between = ", ";
    }
    if (x->cautious_decay) {
        fprintf(stream, "%scautious decay", between);
        between = ", ";
    }
    if (x->sphere != MS_SPHERE_NONE) {
        fprintf(stream, "%ssphere (%s)", between, ms_sphere_names[x->sphere]);
        between = ", ";
    }
    if (x->soft_cap != 0) {
        fprintf(stream, "%ssoft cap %g", between, (double)x->soft_cap);
        between = ", ";
    }
    if (x->spectral_decay != 0) {
        fprintf(stream, "%sspectral decay %g", between, (double)x->spectral_decay);
        between = ", ";
    }
    if (x->qk_clip != 0) {
        fprintf(stream, "%sQK-clip %g", between, (double)x->qk_clip);
        between = ", ";
    }
    if (between[0] == ',') fprintf(stream, "\n");
}

static void print_model(const ms_run *run, FILE *stream) {
    const ms_model_config *model = &run->trainer->options.model;
    fprintf(stream,
            "model         %d layers, width %d, %d heads (%d kv) of %d, feed-forward %d, vocabulary %d, sequence %d\n",
            model->layers, model->width, model->heads, model->kv_heads, model->head_size, model->feed_forward,
            model->vocabulary, model->sequence_length);
    fprintf(stream, "parameters    %lld\n", (long long)run->trainer->facts.parameters);
    if (run->options.initial_name) ms_print_line(stream, "weights       from %s", run->options.initial_name);
    fprintf(stream, "storage       %s\n",
            model->storage == MS_DTYPE_BF16
                ? "bf16 activations and compute copies of the weights; f32 weights, gradients and optimizer"
                : "f32");
    if (run->trainer->options.optimizer.master == MS_DTYPE_BF16)
        fprintf(stream, "master        bf16: every new weight and optimizer state is rounded to it, in f32's memory\n");
    const ms_optimizer *optimizer = &run->trainer->optimizer;
    const ms_optimizer_rule *of_matrices = optimizer->rules[0].use.rule;
    const ms_muon_settings *muon = of_matrices == &ms_muon_rule      ? &optimizer->config.muon
                                   : of_matrices == &ms_normuon_rule ? &optimizer->config.normuon.muon
                                                                     : NULL;
    fprintf(stream, "optimizer     %s", of_matrices->name);
    if (muon && muon->exponent != MS_EXPONENT_0)
        fprintf(stream, " (spectral exponent %s within %.1f %%, %s)", ms_exponent_names[muon->exponent],
                100 * ms_exponent_get(muon->exponent)->largest_error, ms_muon_split_names[muon->split]);
    else if (muon)
        fprintf(stream, " (%s, %s)", ms_coefficients_names[muon->coefficients], ms_muon_split_names[muon->split]);
    if (optimizer->n_rules > 1) fprintf(stream, " on the matrices, %s on the rest", optimizer->rules[1].use.rule->name);
    fprintf(stream, "\n");
    print_interventions(&optimizer->config.interventions, model->layers, stream);
}

static void print_control(const ms_run *run, FILE *stream) {
    static const char *const texts[] = {
        [MS_CONTROL_NOISE] =
            "gradients are N(0, 1) by seed and step: no forward pass, no loss, no text at the end; the "
            "tokens of a step are counted, not read",
        [MS_CONTROL_SHUFFLED_TARGETS] =
            "the targets of a pass are permuted, by seed and step; validation's are not; no "
            "text at the end"};
    ms_control control = run->options.trainer.control;
    if (control != MS_CONTROL_NONE)
        fprintf(stream, "control       %s: %s\n", ms_control_names[control], texts[control]);
}

/* What the loss holds at one time; `fast` trades it for speed. */
static void print_loss(const ms_run *run, FILE *stream) {
    const ms_trainer *trainer = run->trainer;
    int64_t chunk = ms_trainer_loss_chunk(trainer);
    int64_t tokens = (int64_t)trainer->options.batch_sequences * trainer->options.model.sequence_length;
    ms_dtype gradient = ms_trainer_loss_gradient(trainer);
    double logits = (double)(chunk < tokens ? chunk : tokens) * trainer->options.model.vocabulary;
    char chunks[96];
    if (chunk < tokens)
        snprintf(chunks, sizeof chunks, "in chunks of %lld tokens (model.loss_chunk)", (long long)chunk);
    else
        snprintf(chunks, sizeof chunks, "in one chunk of %lld tokens (model.loss_chunk %lld)", (long long)tokens,
                 (long long)chunk);
    /* A gradient of the logits' own dtype is computed in their place. */
    double bytes = logits * (4 + (gradient == MS_DTYPE_F32 ? 0 : (double)ms_dtype_size(gradient)));
    if (run->options.trainer.control == MS_CONTROL_NOISE) { /* steps have no loss */
        if (run->options.validation_every > 0)
            fprintf(stream, "loss          of validations alone, %s: %.1f MiB of f32 logits\n", chunks,
                    logits * 4 / 1048576);
        return;
    }
    fprintf(stream, "loss          %s: %.1f MiB of f32 logits and %s gradients\n", chunks, bytes / 1048576,
            ms_dtype_name(gradient));
}

/* Where several ranks share the run: what falls to this one, which is rank 0. */
static void print_ranks(const ms_run *run, FILE *stream) {
    const ms_trainer_shared *shared = run->trainer->shared;
    if (!shared) return;
    fprintf(stream,
            "ranks         %d by %s: this one makes %.0f of %d micro-steps, and updates %.0f %% of the parameters; "
            "%.1f MiB "
            "of host memory for exchanges\n",
            shared->n_ranks, ms_group_transport_name(shared->group), ms_trainer_shared_passes(run->trainer),
            run->trainer->options.accumulation, 100 * (double)shared->own / (double)shared->n_elements,
            (double)ms_trainer_shared_bytes(run->trainer) / 1048576);
}

static void print_steps(const ms_run *run, FILE *stream) {
    const ms_trainer_facts *facts = &run->trainer->facts;
    ms_print_line(stream, "data          %s, %lld training sequences of %d tokens", run->options.data,
                  (long long)ms_dataset_sequences(run->train), run->trainer->options.model.sequence_length);
    fprintf(stream, "step          %lld tokens, %lld nodes, %.3g GFLOP (model: %.4g MFLOP per token)\n",
            (long long)facts->tokens_per_step, (long long)facts->nodes_per_step, facts->step_flops / 1e9,
            facts->model_flops_per_token / 1e6);
    fprintf(stream, "run           %lld steps, %.4g tokens\n", (long long)run->options.n_steps,
            (double)run->options.n_steps * (double)facts->tokens_per_step);
}

/* Device memory is the plan; the host's share is what the tracker and a checkpoint's copy take. */
static void print_memory(const ms_run *run, FILE *stream) {
    const ms_memory_plan *memory = &run->trainer->facts.memory;
    const double mib = 1048576;
    fprintf(stream,
            "memory        %.1f MiB planned: parameters %.1f, gradients %.1f, optimizer %.1f, temporaries %.1f, "
            "scratch %.1f, other %.1f\n",
            (double)memory->total / mib, (double)memory->parameters / mib, (double)memory->gradients / mib,
            (double)memory->optimizer_state / mib, (double)memory->arena / mib, (double)memory->workspace / mib,
            (double)memory->other_variables / mib);
    ms_tracking_options tracking = run->options.tracking;
    if (run->options.spectra == MS_SPECTRA_FULL) tracking.full_folder = "";
    size_t tracker = run->options.tracker_every > 0 ? ms_tracking_planned_bytes(run->trainer, &tracking) : 0;
    size_t probe = run->probe_data ? ms_probe_planned_bytes(run->trainer, run->options.tracking.n_threads) : 0;
    fprintf(stream,
            "host memory   tracker %.1f MiB, probe %.1f MiB, a checkpoint's copy %.1f MiB while it is written\n",
            (double)tracker / mib, (double)probe / mib, (double)(memory->parameters + memory->optimizer_state) / mib);
}

/* What a run writes beside logs and checkpoints. */
static void print_disk(const ms_run *run, FILE *stream) {
    int64_t every = run->options.tracker_every, n = run->options.n_steps;
    if (run->options.spectra != MS_SPECTRA_FULL || every == 0) return;
    int64_t n_snapshots = 1 + n / every + (every > 1) + (n % every != 0 && n > 1);
    double size = (double)ms_tracking_full_bytes(run->trainer, &run->options.tracking);
    fprintf(stream, "disk          complete spectra at most %.1f MiB: %lld snapshots of %.1f KiB\n",
            (double)n_snapshots * size / 1048576, (long long)n_snapshots, size / 1024);
}

void ms_run_print(const ms_run *run, FILE *stream) {
    char device[400];
    ms_run_device(run, device, sizeof device);
    ms_print_line(stream, "device        %s", device);
    print_model(run, stream);
    print_control(run, stream);
    print_loss(run, stream);
    print_ranks(run, stream);
    print_steps(run, stream);
    print_memory(run, stream);
    print_disk(run, stream);
}

/* ---- warnings ---- */

static void warn_of_schedule(ms_run *run) {
    const ms_schedule *schedule = &run->trainer->options.schedule;
    long long warmup = (long long)schedule->warmup_steps, n_steps = (long long)run->options.n_steps;
    long long left = (long long)schedule->total_steps - warmup, decay = (long long)ms_schedule_decay_steps(schedule);
    if (warmup > n_steps)
        ms_logger_write(
            run->logger, MS_LOG_WARNING,
            "schedule.warmup_steps is %lld, the run has %lld step%s: it makes the beginning of the ramp, up to "
            "%.3g %% of the full learning rate",
            warmup, n_steps, n_steps == 1 ? "" : "s", 100 * ms_schedule_factor(schedule, n_steps - 1));
    else if (schedule->kind == MS_SCHEDULE_WSD && left < decay)
        ms_logger_write(
            run->logger, MS_LOG_WARNING,
            "schedule.warmup_steps %lld leaves %lld of the %lld steps that schedule.decay_fraction %g of %lld "
            "steps asks for",
            warmup, left > 0 ? left : 0, decay, schedule->decay_fraction, (long long)schedule->total_steps);
}

static void warn_of_vocabulary(ms_run *run) {
    const ms_model_config *model = &run->trainer->options.model;
    if (!run->tokenizer) return;
    int n = ms_tokenizer_vocab_size(run->tokenizer), n_more = model->vocabulary - n;
    long long rows = model->tied_head ? n_more : 2LL * n_more, parameters = rows * model->width;
    /* Initial weights that are given have their vocabulary, and no other can be asked for. */
    const char *way_out = run->options.initial.fill ? "" : "; --model.vocabulary 0 takes the tokenizer's size";
    if (n_more > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "model.vocabulary is %d, the data's tokenizer has %d tokens: %d ids never come, their %lld "
                        "parameters (%.1f %% of all) learn nothing but that%s",
                        model->vocabulary, n, n_more, parameters,
                        100.0 * (double)parameters / (double)run->trainer->facts.parameters, way_out);
}

void ms_run_warn_of_settings(ms_run *run) {
    warn_of_schedule(run);
    warn_of_vocabulary(run);
}
