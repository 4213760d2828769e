"""What all runs share: hooks, logs, environment."""

default_scope = 'mmpose'
custom_imports = dict(imports=['rednet_mm'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Whole files, and seeds of each epoch: a run that is killed and resumed
    # ends as one that is not (docs/resume.md).
    checkpoint=dict(
        type='AtomicCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    visualization=dict(type='LandmarkVisualizationHook', enable=False),
    # Stops a training whose loss or gradient is NaN or infinite.
    finite_numbers=dict(type='FiniteNumbersHook'),
    run_record=dict(type='RunRecordHook'),
)
# Each process counts batch norm's statistics; they are averaged before they
# are measured and saved.
custom_hooks = [dict(type='SyncBuffersHook')]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='PoseLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(
    type='LogProcessor', window_size=50, by_epoch=True, num_digits=6
)
log_level = 'INFO'
load_from = None
resume = False
backend_args = dict(backend='local')
