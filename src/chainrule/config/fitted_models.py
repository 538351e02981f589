"""Models whose network is fitted without gradients and whose head belongs to it: trees, pairs, whole rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.errors import InputError, is_out_of_memory

if TYPE_CHECKING:
    from chainrule.domain import Domain
    from chainrule.models.chain import AutoregressiveModel

__all__ = ["BUILDERS", "built_part"]

Spec = dict[str, Any]


def boosted_trees(head_name: str, domain: Domain, options: Spec, head_options: Spec) -> AutoregressiveModel:
    """Boosted trees, whose features are the decisions about each element, and a head that knows where they lead."""
    if domain.variable_length:
        raise InputError(
            "boosted trees are for rows and small images, here examples differ in length; take another network"
        )
    from chainrule.domain import Column
    from chainrule.heads.columns import ColumnsHead
    from chainrule.heads.decisions import DecisionsHead
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.boosted_trees import BoostedTrees

    if head_name != ("columns" if domain.columns else "decisions"):
        raise InputError(f"boosted trees end in binary decisions and have no {head_name!r} head; leave out --head")
    columns = domain.columns or (Column(domain.num_symbols, domain.ordinal),)
    leaves = {name: head_options[name] for name in ("leaves",) if name in head_options}
    features = max(DecisionsHead.decisions_of(column, **leaves) for column in columns)
    own = {} if domain.columns else head_options
    heads = [DecisionsHead(features, column=column, **own) for column in columns]
    network = built_part(BoostedTrees, domain.num_symbols, domain.shape, features, **options)
    return AutoregressiveModel(network, ColumnsHead(heads, **head_options) if domain.columns else heads[0])


def chow_liu(head_name: str, domain: Domain, options: Spec, head_options: Spec) -> AutoregressiveModel:
    """A Chow-Liu tree, which ends in logits, those of a column with fewer symbols than others among them."""
    if domain.variable_length or domain.num_symbols is None:
        what = "examples differ in length" if domain.variable_length else "some elements are numbers"
        raise InputError(f"a Chow-Liu tree is for rows and small images of symbols, here {what}; take another network")
    from chainrule.heads.columns import ColumnsHead
    from chainrule.heads.first_logits import FirstLogitsHead
    from chainrule.heads.logits import LogitsHead
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.chow_liu import ChowLiu

    if head_name != ("columns" if domain.columns else "logits"):
        raise InputError(f"a Chow-Liu tree ends in logits and has no {head_name!r} head; leave out --head")
    network = built_part(ChowLiu, domain.num_symbols, domain.shape, **options)
    if not domain.columns:
        return AutoregressiveModel(network, LogitsHead(network.features, domain.num_symbols, **head_options))
    sizes = [(column.num_symbols or 0) + column.missing for column in domain.columns]
    heads = [FirstLogitsHead(network.features, size) for size in sizes]
    return AutoregressiveModel(network, ColumnsHead(heads, **head_options))


def joint_gaussians(head_name: str, domain: Domain, options: Spec, head_options: Spec) -> AutoregressiveModel:
    """Joint Gaussians, whose features their own head reads."""
    if not domain.columns or head_name != "columns":
        raise InputError("joint Gaussians are for the rows of a table, with a head of columns; take another network")
    from chainrule.heads.columns import ColumnsHead
    from chainrule.heads.joint import JointGaussiansHead
    from chainrule.heads.marginal import Marginal
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.joint_gaussians import JointGaussians

    marginals = [Marginal(column.resolution, column.count) for column in domain.columns]
    network = built_part(JointGaussians, domain.columns, marginals, **options)
    heads = [JointGaussiansHead(network.features, column) for column in domain.columns]
    return AutoregressiveModel(network, ColumnsHead(heads, **head_options))


def kernels(head_name: str, domain: Domain, options: Spec, head_options: Spec) -> AutoregressiveModel:
    """Kernels at the training rows, whose features their own head reads."""
    if not domain.columns or head_name != "columns":
        raise InputError("kernels are for the rows of a table, with a head of columns; take another network")
    from chainrule.heads.columns import ColumnsHead
    from chainrule.heads.kernels import KernelsHead
    from chainrule.heads.marginal import Marginal
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.kernels import Kernels

    marginals = [Marginal(column.resolution, column.count) for column in domain.columns]
    network = built_part(Kernels, domain.columns, marginals, **options)
    heads = [KernelsHead(network.features, column, network.levels) for column in domain.columns]
    return AutoregressiveModel(network, ColumnsHead(heads, **head_options))


BUILDERS = {
    "boosted_trees": boosted_trees,
    "chow_liu": chow_liu,
    "joint_gaussians": joint_gaussians,
    "kernels": kernels,
}


def built_part(part: Any, *args: Any, **options: Any) -> Any:
    """A part with its options; what they do not go together with is an InputError that names them."""
    try:
        return part(*args, **options)
    except InputError:
        raise
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise MemoryError(f"{part.__name__} with {options}") from error
        raise InputError(f"{part.__name__} cannot be built from {options}: {error}") from error
