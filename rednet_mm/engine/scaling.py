"""The same experiment, smaller: other depth, input, data and schedule.

A scale is a Python file like a config (``configs/ablations/scales/``). What
it may say, everything optional::

    depth = 18  # of the ResNets
    # Width of the first stage, by kind of network; left out: 64.
    base_channels = dict(REDNetResNet=16, REDNetVGG=8)
    pretrained = False  # from scratch, without ImageNet's weights
    input_size = 64  # pixels; response maps of half of it
    sigma = 2.5  # and radius, pixels of the map; left out: in proportion
    num_workers = 2
    optim_wrapper = dict(...)
    # 'max_epochs' stands for the number of epochs of the data's kind.
    param_scheduler = [dict(type='CosineAnnealingLR', T_max='max_epochs')]
    evaluator = dict(norm='outer_eyes')  # of FaceLandmarkMetric
    # For each kind of stage (stage.data of a config); train and test, which
    # go together, are other data with 68 points.
    data = dict(
        images=dict(
            train=dict(type='Still300WDataset', ...),
            test=dict(type='VideoClipDataset', ...),
            max_epochs=6,
            batch_size=32,
        ),
        clips=dict(
            ...,
            num_subjects=247,
            max_batches=200,  # an epoch of SubjectBatchSampler
            # Of ClipFromImage, put in for stills that become clips; the
            # same films in every test.
            film=dict(shift=0.1, occluder_prob=1.0),
        ),
    )
    # Ablations (names of configs) that are not part of the scale.
    left_out = ['table5_vgg_300vw']
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmengine.config import Config

from rednet_mm.errors import UserError

from .launch import existing_config

CONVERTERS = ('FaceKeypointConverter', 'KeypointConverter')
DATA_KINDS = ('images', 'identities', 'frames', 'clips')
FIELDS = (
    'depth',
    'base_channels',
    'pretrained',
    'input_size',
    'sigma',
    'num_workers',
    'optim_wrapper',
    'param_scheduler',
    'evaluator',
    'data',
    'left_out',
)


def read_scale(path: str) -> dict[str, Any]:
    """A scale's file; names that are not fields may help to write it.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it has no field of a scale, or an unknown kind of data.
    """
    content = Config.fromfile(existing_config(path))
    scale = {name: content[name] for name in FIELDS if name in content}
    unknown = [k for k in scale.get('data', {}) if k not in DATA_KINDS]
    if unknown or not scale:
        raise UserError(
            f'{path} is not a scale: it may have {", ".join(FIELDS)}, and '
            f'data for {", ".join(DATA_KINDS)}'
        )
    return scale


def scaled(cfg: Config, scale: Mapping[str, Any]) -> Config:
    """A config at another scale; the one that is given stays as it is.

    Args:
        cfg (Config): With ``stage.data``, the kind of its data.
        scale (Mapping): See the module.
    """
    # Config.copy() would share what is nested.
    cfg = copy.deepcopy(cfg)
    if 'depth' in scale:
        _set_depth(cfg, scale['depth'])
    if 'base_channels' in scale:
        _set_width(cfg, scale['base_channels'])
    if not scale.get('pretrained', True):
        backbone = cfg.model.backbone
        backbone.pop('init_cfg', None)
        # Of an encoder from elsewhere.
        backbone.get('encoder', {}).pop('init_cfg', None)
    if 'input_size' in scale:
        _set_size(cfg, scale['input_size'], scale.get('sigma'))
    if 'optim_wrapper' in scale:
        cfg.optim_wrapper = scale['optim_wrapper']
    evaluators = [
        each
        for each in _dicts(cfg.val_evaluator)
        if each.get('type') == 'FaceLandmarkMetric'
    ]
    for each in evaluators:
        each.update(scale.get('evaluator', {}))
    data = scale.get('data', {}).get(cfg.stage.data)
    if data is not None:
        _set_data(cfg, data)
    # test_dataloader and test_evaluator are copies in a config that was read.
    cfg.test_evaluator = cfg.val_evaluator
    _set_epochs(cfg, (data or {}).get('max_epochs'), scale)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        workers = scale.get('num_workers', loader.num_workers)
        loader.num_workers = workers
    # Those of the training begin anew with each epoch, see EpochSeedHook.
    cfg.train_dataloader.persistent_workers = False
    cfg.val_dataloader.persistent_workers = cfg.val_dataloader.num_workers > 0
    cfg.test_dataloader = cfg.val_dataloader
    return cfg


def _dicts(node: Any) -> Iterator[dict]:
    """Every dictionary of a config."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for each in node:
            yield from _dicts(each)


def _set_depth(cfg: Config, depth: int) -> None:
    if cfg.model.backbone.type != 'REDNetResNet':
        return  # there is one VGG
    cfg.model.backbone.depth = depth
    weights = cfg.model.backbone.get('init_cfg')
    if weights and weights.checkpoint.startswith('torchvision://'):
        weights.checkpoint = f'torchvision://resnet{depth}'
    channels = 512 if depth in (18, 34) else 2048
    if cfg.model.get('neck'):
        cfg.model.neck.in_channels = channels
    if cfg.model.get('identity_head'):
        cfg.model.identity_head.in_channels = channels // 2


def _set_width(cfg: Config, widths: Mapping[str, int]) -> None:
    model, kind = cfg.model, cfg.model.backbone.type
    if kind not in widths:
        return
    model.backbone.base_channels = widths[kind]
    parts = [model.get('neck'), model.get('identity_head')]
    if kind == 'REDNetVGG':
        # The last stage of a ResNet has the same width at every width.
        parts.append(model.head)
    for part in filter(None, parts):
        part.in_channels = part.in_channels * widths[kind] // 64
    if parts[0] and 'hidden_channels' in parts[0]:
        parts[0].hidden_channels = min(256, parts[0].in_channels // 2)


def _set_size(cfg: Config, size: int, sigma: Optional[float]) -> None:
    if size % 32:
        raise UserError(f'input_size {size} is not a multiple of 32')
    share = size / cfg.codec.input_size[0]
    if sigma is not None:
        share = sigma / cfg.codec.sigma
    for each in _dicts(cfg._cfg_dict):
        kind = each.get('type')
        if kind == 'ResponseMap':
            each.update(
                input_size=(size, size),
                response_size=(size // 2, size // 2),
                radius=each['radius'] * share,
                sigma=each['sigma'] * share,
            )
        elif kind == 'TopdownAffine':
            each['input_size'] = (size, size)
        elif kind == 'ResponseMapMetric':
            each['radius'] *= share


def _set_data(cfg: Config, data: Mapping[str, Any]) -> None:
    if 'train' in data:
        # Data of a scale has 68 points: there is nothing to convert.
        train, test = (
            [step for step in pipeline if step.type not in CONVERTERS]
            for pipeline in (cfg.train_pipeline, cfg.val_pipeline)
        )
        cfg.dataset_type = data['train']['type']
        if 'film' in data:
            train = _filmed(train, data['film'])
            test = _filmed(test, dict(data['film'], seed=0))
        cfg.train_dataloader.dataset = dict(data['train'], pipeline=train)
        cfg.val_dataloader.dataset = dict(
            data['test'], test_mode=True, pipeline=test
        )
    if 'batch_size' in data:
        cfg.train_dataloader.batch_size = data['batch_size']
    if 'max_batches' in data:
        cfg.train_dataloader.batch_sampler.max_batches = data['max_batches']
    if cfg.model.get('identity_head') and 'num_subjects' in data:
        cfg.model.identity_head.num_subjects = data['num_subjects']


def _filmed(pipeline: list[dict], film: Mapping[str, Any]) -> list[dict]:
    """The pipeline with a moving camera behind the box of the face."""
    place = [step['type'] for step in pipeline].index('GetBBoxCenterScale') + 1
    camera = dict(film, type='ClipFromImage')
    return [*pipeline[:place], camera, *pipeline[place:]]


def _set_epochs(
    cfg: Config, epochs: Optional[int], scale: Mapping[str, Any]
) -> None:
    before, after = cfg.train_cfg.max_epochs, epochs
    if after is not None:
        cfg.max_epochs = cfg.train_cfg.max_epochs = after
        cfg.train_cfg.val_interval = 1
        for each in cfg.param_scheduler:
            if 'milestones' in each:
                each.milestones = [
                    max(1, round(stone * after / before))
                    for stone in each.milestones
                ]
    if 'param_scheduler' in scale:
        cfg.param_scheduler = [
            {
                key: cfg.max_epochs if value == 'max_epochs' else value
                for key, value in each.items()
            }
            for each in scale['param_scheduler']
        ]
