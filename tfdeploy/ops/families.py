"""Which family each op belongs to and what effect it has, told without importing any family.

``python -m tests.families`` writes the tables anew; a test holds them to the families.
"""

from __future__ import annotations

FAMILIES: dict[str, str] = {
    "array": """
        Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics CheckNumericsV2
        Concat ConcatOffset ConcatV2 Empty EnsureShape ExpandDims Fill LinSpace OnesLike Pack
        ParallelConcat Range Rank Reshape Shape ShapeN Size Slice Split SplitV Squeeze
        StridedSlice TensorStridedSliceUpdate Unpack ZerosLike
    """,
    "audio": """
        AudioSpectrogram DecodeWav EncodeWav Mfcc
    """,
    "bitwise": """
        BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount RightShift
    """,
    "boxes": """
        CombinedNonMaxSuppression DrawBoundingBoxes DrawBoundingBoxesV2 NonMaxSuppression
        NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
        NonMaxSuppressionWithOverlaps SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
        StatelessSampleDistortedBoundingBox
    """,
    "candidates": """
        AllCandidateSampler ComputeAccidentalHits FixedUnigramCandidateSampler
        LearnedUnigramCandidateSampler LogUniformCandidateSampler
        ThreadUnsafeUnigramCandidateSampler UniformCandidateSampler
    """,
    "codec": """
        DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeWebP
        EncodeJpeg EncodeJpegVariableQuality EncodePng ExtractJpegShape
    """,
    "console": """
        Print PrintV2 Timestamp
    """,
    "control": """
        Case For If StatelessCase StatelessIf StatelessWhile ToBool While
    """,
    "conv": """
        Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropInput
        Conv3DBackpropInputV2 DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dilation2D
    """,
    "conv_grad": """
        Conv2DBackpropFilter Conv3DBackpropFilter Conv3DBackpropFilterV2
        DepthwiseConv2dNativeBackpropFilter Dilation2DBackpropFilter Dilation2DBackpropInput
    """,
    "count": """
        DenseCountSparseOutput RaggedCountSparseOutput SparseCountSparseOutput
    """,
    "cross": """
        RaggedCross SparseCross SparseCrossHashed SparseCrossV2
    """,
    "ctc": """
        CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss
    """,
    "cudnn": """
        CudnnRNN CudnnRNNCanonicalToParams CudnnRNNCanonicalToParamsV2 CudnnRNNParamsSize
        CudnnRNNParamsToCanonical CudnnRNNParamsToCanonicalV2 CudnnRNNV2 CudnnRNNV3
    """,
    "diag": """
        BatchMatrixBandPart BatchMatrixDiag BatchMatrixDiagPart BatchMatrixSetDiag Diag DiagPart
        MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
        MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3
    """,
    "fused": """
        FusedPadConv2D FusedResizeAndPadConv2D _FusedBatchNormEx _FusedConv2D _FusedConv3D
        _FusedDepthwiseConv2dNative _FusedMatMul
    """,
    "gradients": """
        BatchCholeskyGrad BiasAddGrad CholeskyGrad EluGrad FakeQuantWithMinMaxArgsGradient
        FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannelGradient IgammaGradA
        InvGrad LeakyReluGrad MirrorPadGrad QuantizeAndDequantizeV4Grad RandomGammaGrad
        ReciprocalGrad Relu6Grad ReluGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad
        SqrtGrad StridedSliceGrad TanhGrad
    """,
    "hashing": """
        Fingerprint StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
    """,
    "image": """
        AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation ExtractGlimpse ExtractGlimpseV2
        ExtractImagePatches ExtractVolumePatches HSVToRGB RGBToHSV RandomCrop
    """,
    "index": """
        Bincount Bucketize DenseBincount DynamicPartition DynamicStitch Gather GatherNd GatherV2
        InplaceAdd InplaceSub InplaceUpdate InvertPermutation ListDiff LowerBound OneHot
        ParallelDynamicStitch RaggedBincount ScatterNd ScatterNdNonAliasingAdd SparseBincount
        TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
        Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 UnravelIndex UpperBound Where
    """,
    "layout": """
        BatchToSpace BatchToSpaceND ConjugateTranspose DepthToSpace MirrorPad Pad PadV2 Reverse
        ReverseSequence ReverseV2 Roll SpaceToBatch SpaceToBatchND SpaceToDepth Tile Transpose
    """,
    "linalg": """
        BandedTriangularSolve BatchCholesky BatchMatrixDeterminant BatchMatrixInverse
        BatchMatrixSolve BatchMatrixSolveLs BatchMatrixTriangularSolve BatchSelfAdjointEig
        BatchSelfAdjointEigV2 BatchSvd Cholesky Eig LogMatrixDeterminant Lu MatrixDeterminant
        MatrixExponential MatrixInverse MatrixLogarithm MatrixSolve MatrixSolveLs MatrixSquareRoot
        MatrixTriangularSolve Qr SelfAdjointEig SelfAdjointEigV2 Svd TridiagonalMatMul
        TridiagonalSolve
    """,
    "lists": """
        EmptyTensorList EmptyTensorMap TensorListConcat TensorListConcatLists TensorListConcatV2
        TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem
        TensorListLength TensorListPopBack TensorListPushBack TensorListPushBackBatch
        TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList
        TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorMapErase
        TensorMapHasKey TensorMapInsert TensorMapLookup TensorMapSize TensorMapStackKeys
    """,
    "math": """
        Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2
        Atanh Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Div DivNoNan Equal Exp Expm1
        Floor FloorDiv FloorMod Greater GreaterEqual Imag Inv IsFinite IsInf IsNan Less LessEqual
        Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NextAfter
        NotEqual Pow Real RealDiv Reciprocal Rint Round Rsqrt Select SelectV2 Sigmoid Sign Sin
        Sinh Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py
        Xlogy
    """,
    "messages": """
        DecodeJSONExample DeserializeManySparse DeserializeSparse ParseTensor SerializeManySparse
        SerializeSparse SerializeTensor
    """,
    "nn": """
        BatchNormWithGlobalNormalization BiasAdd BiasAddV1 DataFormatDimMap DataFormatVecPermute
        Elu FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 L2Loss LRN LeakyRelu LogSoftmax Relu
        Relu6 Selu Softmax SoftmaxCrossEntropyWithLogits Softplus Softsign
        SparseSoftmaxCrossEntropyWithLogits
    """,
    "norm_grad": """
        BatchNormWithGlobalNormalizationGrad FusedBatchNormGrad FusedBatchNormGradV2
        FusedBatchNormGradV3 LRNGrad
    """,
    "parsing": """
        DecodeCSV DecodeCompressed DecodePaddedRaw DecodeRaw ParseExample ParseExampleV2
        ParseSingleExample
    """,
    "pool": """
        AvgPool AvgPool3D FractionalAvgPool FractionalMaxPool MaxPool MaxPool3D MaxPoolV2
        MaxPoolWithArgmax
    """,
    "pool_grad": """
        AvgPool3DGrad AvgPoolGrad FractionalAvgPoolGrad FractionalMaxPoolGrad MaxPool3DGrad
        MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2
        MaxPoolGradWithArgmax
    """,
    "products": """
        BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul SparseMatMul
    """,
    "quantize": """
        Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantize QuantizeAndDequantizeV2
        QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2
    """,
    "ragged": """
        RaggedFillEmptyRows RaggedGather RaggedRange RaggedTensorToSparse RaggedTensorToTensor
    """,
    "random": """
        Multinomial NonDeterministicInts ParameterizedTruncatedNormal RandomGamma
        RandomIndexShuffle RandomPoisson RandomPoissonV2 RandomShuffle RandomStandardNormal
        RandomUniform RandomUniformInt StatelessMultinomial StatelessParameterizedTruncatedNormal
        StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3
        StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
        StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
        StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
        StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
        StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
    """,
    "reduction": """
        All Any ApproxTopK ArgMax ArgMin Cumprod Cumsum CumulativeLogsumexp EuclideanNorm InTopK
        InTopKV2 Max Mean Min Prod Sum TopK TopKV2
    """,
    "regex": """
        RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace
    """,
    "resize": """
        CropAndResize ImageProjectiveTransformV2 ImageProjectiveTransformV3 ResizeArea
        ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
    """,
    "resize_grad": """
        CropAndResizeGradBoxes CropAndResizeGradImage ResizeBicubicGrad ResizeBilinearGrad
        ResizeNearestNeighborGrad ScaleAndTranslateGrad
    """,
    "rng": """
        RngReadAndSkip RngSkip StatefulRandomBinomial StatefulStandardNormal
        StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt
        StatefulUniformInt
    """,
    "rnn": """
        BlockLSTM BlockLSTMV2 GRUBlockCell LSTMBlockCell
    """,
    "rnn_grad": """
        BlockLSTMGrad BlockLSTMGradV2 GRUBlockCellGrad LSTMBlockCellGrad
    """,
    "segment": """
        SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum SparseSegmentMean
        SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNWithNumSegments
        SparseSegmentSum SparseSegmentSumWithNumSegments UnsortedSegmentMax UnsortedSegmentMin
        UnsortedSegmentProd UnsortedSegmentSum
    """,
    "sentencepiece": """
        SentencepieceOp SentencepieceTokenizeOp
    """,
    "sequences": """
        ParseSequenceExample ParseSequenceExampleV2 ParseSingleSequenceExample
    """,
    "sets": """
        DenseToDenseSetOperation DenseToSparseSetOperation SetSize SparseToSparseSetOperation
    """,
    "sparse": """
        EditDistance SparseAdd SparseConcat SparseDenseCwiseAdd SparseDenseCwiseDiv
        SparseDenseCwiseMul SparseFillEmptyRows SparseReduceMax SparseReduceMaxSparse
        SparseReduceSum SparseReduceSumSparse SparseReorder SparseReshape SparseSlice
        SparseSoftmax SparseSparseMaximum SparseSparseMinimum SparseSplit SparseTensorDenseAdd
        SparseTensorDenseMatMul SparseToDense
    """,
    "sparse_grad": """
        RaggedFillEmptyRowsGrad SparseAddGrad SparseFillEmptyRowsGrad SparseSegmentMeanGrad
        SparseSegmentMeanGradV2 SparseSegmentSqrtNGrad SparseSegmentSqrtNGradV2
        SparseSegmentSumGrad SparseSegmentSumGradV2 SparseSliceGrad
    """,
    "special": """
        BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1
        BesselK1e BesselY0 BesselY1 Betainc Dawsn Digamma Erf Erfc Erfinv Expint FresnelCos
        FresnelSin Igamma Igammac Lgamma Ndtri Polygamma Spence Zeta
    """,
    "spectral": """
        BatchFFT BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D BatchIFFT3D FFT FFT2D FFT3D FFTND
        IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D RFFTND
    """,
    "stacks": """
        Stack StackClose StackCloseV2 StackPop StackPopV2 StackPush StackPushV2 StackV2
    """,
    "state": """
        Assert Const ControlTrigger DeepCopy DeviceIndex DisableCopyOnRead FakeParam
        GuaranteeConst Identity IdentityN NoOp Placeholder PlaceholderV2 PlaceholderWithDefault
        PreventGradient RefIdentity Snapshot StopGradient
    """,
    "statistics": """
        HistogramFixedWidth IsotonicRegression NearestNeighbors NthElement
    """,
    "string": """
        AsString DecodeBase64 EncodeBase64 ReduceJoin StringFormat StringJoin StringLength
        StringLower StringNGrams StringSplit StringSplitV2 StringStrip StringToNumber StringUpper
        Substr UnsortedSegmentJoin
    """,
    "tables": """
        AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable
        AnonymousMutableHashTableOfTensors HashTable HashTableV2 InitializeTable
        InitializeTableFromTextFile InitializeTableFromTextFileV2 InitializeTableV2
        LookupTableExport LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport
        LookupTableImportV2 LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2
        LookupTableSize LookupTableSizeV2 MutableDenseHashTable MutableDenseHashTableV2
        MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2
    """,
    "text": """
        CaseFoldUTF8 NormalizeUTF8 RegexSplitWithOffsets TFText>RoundRobinTrim
    """,
    "unicode": """
        UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode
    """,
    "variables": """
        Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp
        CountUpTo DestroyResourceOp DestroyTemporaryVariable IsVariableInitialized ReadVariableOp
        ResourceCountUpTo ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterDiv
        ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd
        ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate
        ResourceScatterSub ResourceScatterUpdate ResourceStridedSliceAssign ScatterAdd ScatterDiv
        ScatterMax ScatterMin ScatterMul ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub
        ScatterNdUpdate ScatterSub ScatterUpdate StridedSliceAssign TemporaryVariable VarHandleOp
        VarIsInitializedOp Variable VariableShape VariableV2
    """,
    "variants": """
        OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone RaggedTensorFromVariant
        RaggedTensorToVariant RaggedTensorToVariantGradient
    """,
    "wordpiece": """
        WordpieceTokenizeWithOffsets
    """,
    "xla": """
        XlaBroadcastHelper XlaConv XlaConvV2 XlaDot XlaDotV2 XlaDynamicSlice XlaDynamicUpdateSlice
        XlaEinsum XlaGather XlaKeyValueSort XlaOptimizationBarrier XlaPad XlaReducePrecision
        XlaSelfAdjointEig XlaSharding XlaSort XlaSvd
    """,
}
"""Family -> the op types that it registers."""

EFFECTS: dict[str, str] = {
    "raises": """
        Assert
    """,
    "random": """
        ExtractGlimpse ExtractGlimpseV2 FixedUnigramCandidateSampler FractionalAvgPool
        FractionalMaxPool LearnedUnigramCandidateSampler LogUniformCandidateSampler Multinomial
        NonDeterministicInts ParameterizedTruncatedNormal RandomCrop RandomGamma RandomPoisson
        RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
        SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
        ThreadUnsafeUnigramCandidateSampler TruncatedNormal UniformCandidateSampler
    """,
    "reads": """
        EmptyTensorList EmptyTensorMap IsVariableInitialized LookupTableExport LookupTableExportV2
        LookupTableFind LookupTableFindV2 LookupTableSize LookupTableSizeV2 ReadVariableOp
        ResourceGather ResourceGatherNd SentencepieceTokenizeOp Stack StackV2 TensorListFromTensor
        TensorListReserve TensorListScatter TensorListScatterV2 TensorListSplit Timestamp
        VarIsInitializedOp VariableShape WordpieceTokenizeWithOffsets
    """,
    "resource": """
        HashTable HashTableV2 MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable
        MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2 SentencepieceOp
        VarHandleOp Variable VariableV2
    """,
    "writes": """
        AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable
        AnonymousMutableHashTableOfTensors Assign AssignAdd AssignAddVariableOp AssignSub
        AssignSubVariableOp AssignVariableOp Case CountUpTo DestroyResourceOp
        DestroyTemporaryVariable For If InitializeTable InitializeTableFromTextFile
        InitializeTableFromTextFileV2 InitializeTableV2 LookupTableImport LookupTableImportV2
        LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 Print PrintV2 ResourceCountUpTo
        ResourceScatterAdd ResourceScatterDiv ResourceScatterMax ResourceScatterMin
        ResourceScatterMul ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin
        ResourceScatterNdSub ResourceScatterNdUpdate ResourceScatterSub ResourceScatterUpdate
        ResourceStridedSliceAssign RngReadAndSkip RngSkip ScatterAdd ScatterDiv ScatterMax
        ScatterMin ScatterMul ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub ScatterNdUpdate
        ScatterSub ScatterUpdate StackClose StackCloseV2 StackPop StackPopV2 StackPush StackPushV2
        StatefulRandomBinomial StatefulStandardNormal StatefulStandardNormalV2
        StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
        StatelessCase StatelessIf StatelessWhile StridedSliceAssign TemporaryVariable While
    """,
}
"""Effect -> the op types that have it; all others are pure."""
