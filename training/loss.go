package training

import (
	"fmt"
	"slices"
	"strings"

	"pkm/graphs"
)

// The losses by their names in a configuration.
const (
	CrossEntropyName = "cross-entropy"
	SquaredErrorName = "squared-error"
	LogisticName     = "logistic"
)

// Losses returns the names of all losses.
func Losses() []string { return []string{CrossEntropyName, SquaredErrorName, LogisticName} }

// NewLoss returns the loss of that name.
func NewLoss[T graphs.Float](name string) (graphs.Loss[T], error) {
	switch name {
	case CrossEntropyName:
		return CrossEntropy[T]{}, nil
	case SquaredErrorName:
		return SquaredError[T]{}, nil
	case LogisticName:
		return Logistic[T]{}, nil
	}
	return nil, fmt.Errorf("training: no loss is named %q; there are %s", name, strings.Join(Losses(), ", "))
}

// OneHot returns the targets (N, C) of class labels in [0, C): 1 at the label, 0
// elsewhere.
func OneHot[T graphs.Float](labels []int, classes int) ([]T, error) {
	y := make([]T, len(labels)*classes)
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, fmt.Errorf("training: label %d of sample %d: labels of %d classes are 0 to %d", l, i, classes, classes-1)
		}
		y[i*classes+l] = 1
	}
	return y, nil
}

// Targets returns the targets (N, C) of class labels in [0, classes) for a loss: one-hot,
// or for the logistic loss of two classes the label itself, for one output.
func Targets[T graphs.Float](loss string, labels []int, classes int) ([]T, error) {
	oneHot, err := OneHot[T](labels, classes)
	if err != nil || loss != LogisticName {
		return oneHot, err
	}
	if classes != 2 {
		return nil, fmt.Errorf("training: the logistic loss is one of two classes, found %d", classes)
	}
	y := make([]T, len(labels))
	for i, l := range labels {
		y[i] = T(l)
	}
	return y, nil
}

// Outputs returns C, the number of outputs that a loss takes for a number of classes.
func Outputs(loss string, classes int) int {
	if loss == LogisticName {
		return 1
	}
	return classes
}

// Mean returns the mean of per-sample losses, the value of the objective.
func Mean(losses []float64) float64 {
	var sum float64
	for _, l := range losses {
		sum += l
	}
	return sum / float64(len(losses))
}

// argmax returns the position of the largest value, the first of equals; of a single one,
// the logit of class 1, whether it is positive.
func argmax[T graphs.Float](values []T) int {
	best := 0
	if len(values) == 1 && values[0] > 0 {
		return 1
	}
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

// Accuracy returns the share of samples whose largest output (N, C) is at their
// label (N); with one output, whose sign is that of class 1.
func Accuracy[T graphs.Float](outputs []T, labels []int) float64 {
	if len(labels) == 0 {
		return 0
	}
	classes, hits := len(outputs)/len(labels), 0
	for i, chunk := range slices.Collect(slices.Chunk(outputs, classes)) {
		if argmax(chunk) == labels[i] {
			hits++
		}
	}
	return float64(hits) / float64(len(labels))
}
