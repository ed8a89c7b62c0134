/* Deciles of token frequency, and the validation loss by them. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"
#include "train/frequency.h"

START_TEST(deciles_hold_tenths_of_the_text) {
    /* Of 20 tokens: id 3 makes up 5 (deciles 0 to 2), ids 1 and 4 tie at 4, then 3, 2, 1, 1; id 2 never occurs. */
    static const int64_t counts[] = {3, 4, 0, 5, 4, 1, 2, 1};
    static const uint8_t expected[] = {6, 2, 9, 0, 4, 9, 8, 9};
    uint8_t deciles[8];
    ms_must(ms_frequency_deciles(counts, 8, deciles));
    for (int i = 0; i < 8; i++) ck_assert_msg(deciles[i] == expected[i], "token %d: decile %d", i, deciles[i]);
}
END_TEST

START_TEST(equal_counts_fill_the_deciles_in_order) {
    int64_t counts[40];
    uint8_t deciles[40];
    for (int i = 0; i < 40; i++) counts[i] = 7;
    ms_must(ms_frequency_deciles(counts, 40, deciles));
    for (int i = 0; i < 40; i++) ck_assert_int_eq(deciles[i], i / 4);
}
END_TEST

START_TEST(nothing_counted_is_refused) {
    static const int64_t counts[3] = {0};
    uint8_t deciles[3];
    ck_assert_int_eq(ms_frequency_deciles(counts, 3, deciles), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "frequencies of 3 tokens: none of them was counted");
}
END_TEST

START_TEST(losses_go_to_the_decile_of_their_target) {
    static const uint8_t deciles[] = {0, 9, 4};
    static const int32_t targets[] = {1, -1, 0, 1, 2};
    static const float losses[] = {0.5f, 0, 2, 1.5f, 8};
    ms_frequency_losses sums = {.deciles = deciles};
    ms_frequency_losses_add(&sums, targets, losses, 5);
    ms_frequency_losses_add(&sums, targets, losses, 1);
    ck_assert(sums.sum[9] == 2.5 && sums.count[9] == 3);
    ck_assert(sums.sum[0] == 2 && sums.count[0] == 1);
    ck_assert(sums.sum[4] == 8 && sums.count[4] == 1);
    ck_assert(sums.count[1] == 0);
}
END_TEST

/* The lines of metrics.jsonl with a validation, one after the other. */
static bool next_validation(FILE *file, json_t **out) {
    char line[4096];
    while (fgets(line, sizeof line, file)) {
        if (!strstr(line, "validation_loss")) continue;
        *out = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(*out);
        return true;
    }
    return false;
}

/* The deciles together are the validation: a mean over the same targets. */
static void check_run(const ms_run_options *options, int n_validations) {
    ms_run *run = runs_new(options, "run");
    FILE *file = fopen(run->folder.metrics, "r");
    ck_assert_ptr_nonnull(file);
    json_t *line;
    int n = 0;
    for (; next_validation(file, &line); n++) {
        double sum = 0, count = 0;
        for (int i = 0; i < MS_FREQUENCY_DECILES; i++) {
            double of_decile =
                (double)json_integer_value(json_array_get(json_object_get(line, "targets_by_frequency"), (size_t)i));
            const json_t *loss = json_array_get(json_object_get(line, "loss_by_frequency"), (size_t)i);
            ck_assert(of_decile == 0 ? json_is_null(loss) : json_is_real(loss));
            count += of_decile;
            sum += of_decile * json_real_value(loss);
        }
        ck_assert(count == (double)options->validation_sequences * (options->trainer.model.sequence_length - 1));
        double mean = json_real_value(json_object_get(line, "validation_loss"));
        ck_assert_msg(fabs(sum / count - mean) < 1e-6 * mean, "%.9f, the validation's mean is %.9f", sum / count, mean);
        json_decref(line);
    }
    ck_assert_int_eq(n, n_validations);
    ck_assert_int_eq(runs_count(run->folder.log, "training tokens counted in"), 1);
    double loss; /* the same without deciles */
    ms_must(ms_dataset_seek(run->validation, 0));
    ms_must(
        ms_trainer_evaluate(run->trainer, ms_dataset_source(run->validation), options->validation_sequences, &loss));
    ck_assert_double_eq(loss, run->last_validation);
    fclose(file);
    ms_run_close(run);
}

START_TEST(the_deciles_make_up_the_validation) {
    ms_run_options options = runs_small(4);
    options.validation_every = 2;
    options.validation_sequences = 4;
    check_run(&options, 3);
}
END_TEST

START_TEST(so_they_do_on_shards_and_in_chunks) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(2);
    options.validation_every = 2;
    options.validation_sequences = 2;
    options.trainer.loss_chunk = 7; /* the last of the five is smaller */
    check_run(&options, 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/frequency");
    TCase *tcase = tcase_create("frequency");
    tcase_add_test(tcase, deciles_hold_tenths_of_the_text);
    tcase_add_test(tcase, equal_counts_fill_the_deciles_in_order);
    tcase_add_test(tcase, nothing_counted_is_refused);
    tcase_add_test(tcase, losses_go_to_the_decile_of_their_target);
    suite_add_tcase(suite, tcase);
    TCase *runs = tcase_create("runs");
    tcase_add_checked_fixture(runs, runs_open, runs_close);
    tcase_add_test(runs, the_deciles_make_up_the_validation);
    tcase_add_test(runs, so_they_do_on_shards_and_in_chunks);
    suite_add_tcase(suite, runs);
    return ms_suite_run(suite);
}
