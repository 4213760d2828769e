"""Two ONNX graphs with the same inputs and outputs as one with a switch."""

from typing import Any

from .onnx_network import FOLLOWS


def either(begins: Any, follows: Any) -> Any:
    """One model that runs the second graph where its input ``follows`` is set.

    What the two know of weights is kept once, outside of both.

    Args:
        begins (onnx.ModelProto): The graph of faces that are new.
        follows (onnx.ModelProto): The graph of faces that go on.

    Returns:
        onnx.ModelProto: With the inputs of both and ``follows``, a truth
        value, in front.
    """
    import onnx
    from onnx import helper

    weights: dict[tuple, Any] = {}
    branches = [
        _branch(model.graph, prefix, weights)
        for model, prefix in ((begins, 'begins_'), (follows, 'follows_'))
    ]
    outputs = list(begins.graph.output)
    node = helper.make_node(
        'If',
        [FOLLOWS],
        [each.name for each in outputs],
        then_branch=branches[1],
        else_branch=branches[0],
    )
    # A graph that does not read one of its inputs does not have it.
    inputs = {
        each.name: each
        for model in (begins, follows)
        for each in model.graph.input
    }
    names = [each.name for each in follows.graph.input]
    names += [name for name in inputs if name not in names]
    switch = helper.make_tensor_value_info(FOLLOWS, onnx.TensorProto.BOOL, [])
    graph = helper.make_graph(
        [node],
        'step',
        [inputs[name] for name in names] + [switch],
        outputs,
        list(weights.values()),
    )
    model = helper.make_model(graph, opset_imports=begins.opset_import)
    model.ir_version = begins.ir_version
    return model


def _branch(graph: Any, prefix: str, weights: dict[tuple, Any]) -> Any:
    """A graph as a branch: no inputs, names of its own, weights outside.

    Args:
        graph (onnx.GraphProto): Is changed.
        prefix (str): Of the names.
        weights (dict): By type, shape and content; is added to.
    """
    from onnx import helper

    names = {each.name: each.name for each in graph.input}
    for tensor in graph.initializer:
        content = (tensor.data_type, tuple(tensor.dims), tensor.raw_data)
        name = f'weight_{len(weights)}'
        tensor_name = tensor.name
        kept = weights.setdefault(content, tensor)
        if kept is tensor:
            kept.name = name
        names[tensor_name] = kept.name
    for node in graph.node:
        node.name = prefix + node.name
        for places in (node.input, node.output):
            for place, name in enumerate(places):
                if name:
                    places[place] = names.get(name, prefix + name)
    outputs = [
        helper.make_tensor_value_info(
            prefix + each.name,
            each.type.tensor_type.elem_type,
            [
                d.dim_param or d.dim_value
                for d in each.type.tensor_type.shape.dim
            ],
        )
        for each in graph.output
    ]
    return helper.make_graph(list(graph.node), prefix + 'step', [], outputs)
