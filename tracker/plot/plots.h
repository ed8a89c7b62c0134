/* What each plot writes, by the kind of picture: the functions of the table in plots.c. */
#ifndef MS_TRACKER_PLOT_PLOTS_H
#define MS_TRACKER_PLOT_PLOTS_H

#include "tracker/plot/page.h"
#include "tracker/plot/plot_data.h"

/* plot_loss.c */
void ms_plot_loss_write(ms_page *page, const ms_plot_data *data);
void ms_plot_frequency_write(ms_page *page, const ms_plot_data *data);

/* plot_curves.c: steps to the right, a line a layer, a panel a projection */
void ms_plot_stretching_write(ms_page *page, const ms_plot_data *data);
void ms_plot_efficiency_write(ms_page *page, const ms_plot_data *data);
void ms_plot_gap_write(ms_page *page, const ms_plot_data *data);
void ms_plot_alignment_write(ms_page *page, const ms_plot_data *data);
void ms_plot_momentum_write(ms_page *page, const ms_plot_data *data);
void ms_plot_persistence_write(ms_page *page, const ms_plot_data *data);
void ms_plot_orthogonality_write(ms_page *page, const ms_plot_data *data);
void ms_plot_quality_write(ms_page *page, const ms_plot_data *data);
void ms_plot_rank_write(ms_page *page, const ms_plot_data *data);

/* plot_depth.c: layers to the right, or indices of singular values */
void ms_plot_depth_write(ms_page *page, const ms_plot_data *data);
void ms_plot_singular_write(ms_page *page, const ms_plot_data *data);

/* plot_heat.c: steps to the right, layers upwards, a panel a projection; and layers over projections */
void ms_plot_norm_map_write(ms_page *page, const ms_plot_data *data);
void ms_plot_alignment_map_write(ms_page *page, const ms_plot_data *data);
void ms_plot_entropy_map_write(ms_page *page, const ms_plot_data *data);
void ms_plot_entropy_l1_map_write(ms_page *page, const ms_plot_data *data);
void ms_plot_mri_write(ms_page *page, const ms_plot_data *data);

/* plot_attention.c */
void ms_plot_attention_write(ms_page *page, const ms_plot_data *data);

#endif
