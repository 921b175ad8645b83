package experiments

import "strings"

// unknownLayer says of text, which is no kind of layer, why there is none, when
// there is a reason, and which kind may be meant, or "".
func unknownLayer(text string, kinds []string) (fault, near string) {
	// BatchNorm2d, batch_norm and batch-normalization are one word.
	w := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(text))
	w = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(w, "1d"), "2d"), "3d")
	switch w {
	case "batchnorm", "batchnormalization", "batchnormalisation", "syncbatchnorm", "bn":
		return "which couples the samples of a batch, so that no sample has a Jacobian of its own", "layer-norm"
	case "dropout", "alphadropout", "spatialdropout", "droppath", "stochasticdepth":
		return "which makes the outputs random, so that there is no one function whose path is followed: leave it out", ""
	case "conv", "convolution", "convolutional":
		return "", "conv2d"
	case "linear", "affine", "fc", "fullyconnected":
		return "", "dense"
	case "maxpool", "maxpooling":
		return "", "max-pool"
	case "avgpool", "averagepool", "avgpooling", "averagepooling", "meanpool":
		return "", "average-pool"
	case "globalavgpool", "globalaveragepool", "globalavgpooling", "globalaveragepooling", "globalpool", "adaptiveavgpool", "gap":
		return "", "global-average-pool"
	case "layernorm", "layernormalization", "layernormalisation", "ln":
		return "", "layer-norm"
	case "resnet", "resblock", "residualblock", "basicblock", "skip", "block":
		return "", "residual"
	case "swish":
		return "", "silu"
	}
	return "", nearest(text, kinds)
}
