"""Op types that tfdeploy has on purpose no reference for: why, and what to do about each.

A graph may hold them anywhere; they are an error only where what is computed needs them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..dtypes import FLOAT32, STRING, DType

_OUTPUTS = "choose outputs= that do not need it"
_INPUTS = "name what it gives, or what follows from that, in inputs= and feed it"

REFUSED: dict[str, str] = {
    "Save SaveV2 SaveSlices MergeV2Checkpoints ShardedFilename ShardedFilespec Restore RestoreV2 "
    "RestoreSlice": "Saves or restores variables; conversion reads their values from the "
    f"checkpoint by itself: {_OUTPUTS}",
    "WriteFile FileSystemSetConfiguration": "Writes to the file system, which no model may: "
    + _OUTPUTS,
    "Apply* SparseApply* ResourceApply* ResourceSparseApply* *Accumulator* Sdca* "
    "KMC2ChainInitialization KmeansPlusPlusInitialization": f"Trains variables: {_OUTPUTS}",
    "*Summary *SummaryV2 *SummaryWriter ImportEvent": f"Writes logs for TensorBoard: {_OUTPUTS}",
    "ReadFile MatchingFiles ImmutableConst LoadAndRemapMatrix GenerateVocabRemapping": "Reads "
    f"files while it runs, which no model may: {_INPUTS}",
    "InitializeTableFromDataset": "Fills a table from an input pipeline: fill it from a text file "
    "or from tensors (tf.lookup.TextFileInitializer, KeyValueTensorInitializer) and export again",
    "Iterator* OneShotIterator MakeIterator *Iterator *IteratorV[0-9] *IteratorGetNext* *Dataset "
    "*DatasetV[0-9] Dataset* FIFOQueue* PaddingFIFOQueue* PriorityQueue* "
    "RandomShuffleQueue* FakeQueue Queue* Barrier* Stage* Unstage MapStage MapUnstage* "
    "MapClear MapIncompleteSize MapPeek MapSize OrderedMap* AddSparseToTensorsMap "
    "AddManySparseToTensorsMap TakeManySparseFromTensorsMap *Reader *ReaderV2 Reader* "
    "RecordInput": "Is part of an input pipeline, which stays outside: name what the pipeline "
    "delivers (outputs of the dequeue or IteratorGetNext) in inputs=",
    "SymbolicGradient": "Works out the gradient of a function while TensorFlow 1 runs it: "
    + _OUTPUTS,
    "PyFunc PyFuncStateless EagerPyFunc": "Calls Python code that the graph does not hold: "
    + _INPUTS,
    "XlaCallModule XlaCustomCall*": "Runs a program that is not made of TensorFlow ops (StableHLO, "
    "as jax2tf writes it): export the model as TensorFlow ops "
    "(jax2tf.convert(native_serialization=False), tf.function without jit)",
    "SimpleML*": f"Runs a decision forest of TensorFlow Decision Forests: {_INPUTS}",
    "TFText>* FastBertNormalize FastWordpieceTokenizeWithOffsets FindSourceOffsets "
    "NormalizeUTF8WithOffsetsMap ConstrainedSequence MaxSpanningTree PhraseTokenize RougeL "
    "SentenceFragments* SentencepieceDetokenizeOp SentencepieceTokenizeWithOffsetsOp "
    "SentencepieceVocabSizeOp SentencepieceIdToStringOp SentencepieceStringToIdOp "
    "SplitMergeTokenizeWithOffsets TokenizerFromLogits UnicodeScriptTokenizeWithOffsets "
    "WhitespaceTokenizeWithOffsets": "Is an op of TensorFlow Text that tfdeploy lacks: prepare the "
    f"text before the model: {_INPUTS}",
    "Quantized* QuantizeDownAndShrinkRange Requant*": "Computes on TensorFlow's 8-bit tensors with "
    "ranges beside them: convert the float model that this one was made from",
    "UniformQuantize* UniformDequantize UniformRequantize": "Computes on uniformly quantized "
    "tensors: convert the float model that this one was made from",
    "BoostedTrees* IsBoostedTrees*": f"Runs boosted trees of TensorFlow 1's estimators: {_INPUTS}",
    "TPU* Collective* Nccl* RemoteCall Send Recv": "Runs on several devices: export the model for "
    "one CPU",
}
"""Names (patterns of `fnmatch`) and the sentence that says why they are refused and what to do."""

DTYPES: dict[str, tuple[DType, ...]] = {
    "ReadFile": (STRING,),
    "MatchingFiles": (STRING,),
    "ReaderRead": (STRING, STRING),
    "ReaderReadV2": (STRING, STRING),
    "ReaderReadUpTo": (STRING, STRING),
    "ReaderReadUpToV2": (STRING, STRING),
    "SimpleMLInferenceOp": (FLOAT32, STRING),
    "SimpleMLInferenceOpWithHandle": (FLOAT32, STRING),
}
"""What those give whose attributes do not say it: an input takes their place."""


def why(op: str) -> str | None:
    """The sentence for op type `op`, None where it is not refused.

    The patterns are wide: ask only about types that have no record.
    """
    for names, sentence in REFUSED.items():
        if any(fnmatchcase(op, name) for name in names.split()):
            return sentence
    return None
