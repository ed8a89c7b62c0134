/* The table of plots, and what each lacks. */
#include "tracker/plot/plots.h"

#include <math.h>

#include "tracker/plot/plot.h"

const ms_plot *ms_plots(int *out_n) {
    static const ms_plot plots[] = {
        {"loss", MS_PLOT_OF_LOSSES, 0, true, ms_plot_loss_write},
        {"loss_by_frequency", MS_PLOT_OF_DECILES, 0, false, ms_plot_frequency_write},
        {"spectral_stretching_evolution", MS_PLOT_OF_SPECTRA, MS_PLOT_sigma_max, true, ms_plot_stretching_write},
        {"norm_heatmap", MS_PLOT_OF_SPECTRA, MS_PLOT_sigma_max, false, ms_plot_norm_map_write},
        {"spectral_norm_vs_depth", MS_PLOT_OF_SPECTRA, MS_PLOT_sigma_max, true, ms_plot_depth_write},
        {"singular_spectrum", MS_PLOT_OF_SPECTRA, MS_PLOT_sigma_max, false, ms_plot_singular_write},
        {"growth_efficiency", MS_PLOT_OF_SPECTRA, MS_PLOT_growth_efficiency, true, ms_plot_efficiency_write},
        {"spectral_gap", MS_PLOT_OF_SPECTRA, MS_PLOT_gap, true, ms_plot_gap_write},
        {"update_alignment", MS_PLOT_OF_SPECTRA, MS_PLOT_alignment_left, true, ms_plot_alignment_write},
        {"momentum_alignment", MS_PLOT_OF_SPECTRA, MS_PLOT_alignment_momentum_left, true, ms_plot_momentum_write},
        {"persistence", MS_PLOT_OF_SPECTRA, MS_PLOT_persistence_left, true, ms_plot_persistence_write},
        {"alignment_heatmap", MS_PLOT_OF_SPECTRA, MS_PLOT_alignment_left, false, ms_plot_alignment_map_write},
        {"entropy_heatmap", MS_PLOT_OF_SPECTRA, MS_PLOT_spectral_entropy, false, ms_plot_entropy_map_write},
        {"entropy_l1", MS_PLOT_OF_SPECTRA, MS_PLOT_entropy_l1, false, ms_plot_entropy_l1_map_write},
        {"entropy_mri", MS_PLOT_OF_SPECTRA, MS_PLOT_spectral_entropy, false, ms_plot_mri_write},
        {"orthogonality_error", MS_PLOT_OF_SPECTRA, MS_PLOT_orthogonality_error, true, ms_plot_orthogonality_write},
        {"update_quality", MS_PLOT_OF_SPECTRA, MS_PLOT_orthogonality_of_update_q01, true, ms_plot_quality_write},
        {"update_rank_evolution", MS_PLOT_OF_SPECTRA, MS_PLOT_update_rank, true, ms_plot_rank_write},
        {"attention_entropy", MS_PLOT_OF_PROBES, 0, false, ms_plot_attention_write}};
    *out_n = sizeof plots / sizeof *plots;
    return plots;
}

bool ms_plot_lacks(const ms_plot *plot, const ms_plot_data *data, char *why, size_t size) {
    bool there = false;
    switch (plot->source) {
    case MS_PLOT_OF_LOSSES:
        return false;
    case MS_PLOT_OF_DECILES:
        for (size_t i = 0; i < data->n_validation; i++)
            if (data->validation[i].has_deciles) return false;
        snprintf(why, size, "no validation has \"loss_by_frequency\"");
        return true;
    case MS_PLOT_OF_PROBES:
        for (size_t i = 0; i < data->n_probes; i++)
            for (int h = 0; h < data->probes[i].n_heads; h++)
                if (isfinite(data->entropies[data->probes[i].i_entropy + (size_t)h])) return false;
        snprintf(why, size, "there are no probes (probes.jsonl: train with --track_manifold true)");
        return true;
    case MS_PLOT_OF_SPECTRA:
        break;
    }
    for (size_t i = 0; i < data->n_spectra && !there; i++) there = isfinite(data->spectra[i].values[plot->key]);
    if (data->n_spectra == 0)
        snprintf(why, size, "there are no spectra (train with --track_manifold true)");
    else if (!there && plot->key == MS_PLOT_growth_efficiency)
        snprintf(why, size, "no step was followed (train with --tracker.every_step sigma_max)");
    else if (!there)
        snprintf(why, size, "no line of spectra.jsonl has a number \"%s\"", ms_plot_key_names[plot->key]);
    return !there;
}
