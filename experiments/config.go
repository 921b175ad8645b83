package experiments

// Config is the configuration of one experiment (design.md §5).
//
// The struct tags are the whole schema; keys, defaults, checks, messages and
// the written form are all derived from them:
//
//	yaml     the key
//	default  the value when the key is absent, written as YAML; a field
//	         without one must be given
//	oneof    the allowed words, separated by spaces
//	min max above below   bounds of a number, or of each number of a list
//	form     "folder": the text becomes the name of a folder; "layer": it
//	         names a kind of layer; "size": it is a number of bytes; "column": a
//	         whole number is taken for text
//	zero     what a zero would mean, where it is refused
//	note     what the reader of an error message should know about the bounds
//	example  a value to show where the default is empty
//	of       the kinds (values of the key kind beside it) that have the key,
//	         separated by spaces; every kind without it
//	when     "key words": only where the key beside it is one of the words
//	also     names that the key goes by elsewhere, to suggest it
//
// Obtain one from [Load] or [Parse]; after changing one, call [Config.Validate].
type Config struct {
	Name       string     `yaml:"name" form:"folder"`
	Seed       int64      `yaml:"seed" default:"1"`
	Precision  string     `yaml:"precision" default:"float64" oneof:"float64 float32"`
	Data       Data       `yaml:"data"`
	Network    Network    `yaml:"network"`
	Loss       Loss       `yaml:"loss"`
	Training   Training   `yaml:"training"`
	Machines   []Machine  `yaml:"machines" default:"[{name: exact, family: exact, rule: gauss-3}, {name: domingos, family: flow, rule: trapezoid}]"`
	Decompose  Decompose  `yaml:"decompose"`
	Bound      Bound      `yaml:"bound"`
	Baselines  []Baseline `yaml:"baselines" default:"[]" example:"[{kind: linearized}]"`
	Analysis   Analysis   `yaml:"analysis"`
	PathKernel string     `yaml:"path_kernel" default:"trace" oneof:"trace full none"`
	Memory     string     `yaml:"memory" default:"2GiB" form:"size"` // what a run may take, by turns for its queries where it has to
	FastDevRun bool       `yaml:"fast_dev_run" default:"false"`      // a few steps and samples, as [Load] cuts them

	Figures     bool `yaml:"figures" default:"true"`      // the plots of the report as SVG and PNG
	TensorBoard bool `yaml:"tensorboard" default:"false"` // event files
}

// Decompose says which shares of the contributions are kept beside them: of each layer, of each class
// of training samples, and of windows of steps, in which the gradients of the samples were taken.
type Decompose struct {
	Layers  bool `yaml:"layers" default:"false"`
	Classes bool `yaml:"classes" default:"false"`
	Windows int  `yaml:"windows" default:"0" min:"0" max:"1000000" note:"0: none; training.steps: a record of each step"` // of equal numbers of steps
	Epochs  int  `yaml:"epochs" default:"0" min:"0" max:"1000000000" note:"0: none"`                                      // in a window
}

// Bound says which bound of the generalisation gap is computed, see [Generalization].
type Bound struct {
	Kind       string  `yaml:"kind" default:"none" oneof:"none loss-path-kernel"`
	Confidence float64 `yaml:"confidence" of:"loss-path-kernel" default:"0.95" above:"0" below:"1"`
	LossRange  float64 `yaml:"loss_range" of:"loss-path-kernel" default:"0" min:"0" note:"0: not known"` // every loss lies in [0, LossRange]
}

// Baseline is a model to compare the machines with. The path kernel of these is ∫tr K dτ/C, the same for all queries and
// outputs.
type Baseline struct {
	Kind    string  `yaml:"kind" oneof:"linearized tangent-kernel path-kernel-ridge path-kernel-svm averaged-coefficients"`
	Ridge   float64 `yaml:"ridge" of:"tangent-kernel path-kernel-ridge" default:"1e-6" above:"0"` // of the mean of the kernel's diagonal
	Penalty float64 `yaml:"penalty" of:"path-kernel-svm" default:"1" above:"0" also:"c"`
}

// Analysis says how often the tangent kernel of the training samples is analysed, and of how many of them.
type Analysis struct {
	Every   int `yaml:"every" default:"0" min:"0" max:"1000000000" note:"in steps; 0: never"`
	Samples int `yaml:"samples" default:"0" min:"0" max:"1000000000" note:"0: every sample of data.train"` // the first
}

// Data says which samples are trained on and which are explained.
type Data struct {
	Source  string `yaml:"source" default:"digits" oneof:"digits fashion-mnist idx csv npy npz parquet images cifar-10 two-moons spirals sinusoid linear"`
	Path    string `yaml:"path" default:"''"`                                                                     // of the file or folder, from the working directory
	Train   int    `yaml:"train" default:"1000" min:"1" max:"1000000000" zero:"a batch of zero samples"`          // N, drawn with the seed
	Query   int    `yaml:"query" default:"100" min:"1" max:"1000000000" zero:"a batch of zero samples"`           // M, held out
	Classes []int  `yaml:"classes" default:"[]" min:"0" max:"1000000000" example:"[3, 8]" note:"[]: every class"` // subset, relabelled 0…

	Standardize bool  `yaml:"standardize" default:"false" also:"normalize standardise"` // inputs to mean 0 and deviation 1
	Noise       Noise `yaml:"noise"`

	Task     string  `yaml:"task" when:"source idx csv npy npz parquet" default:"classification" oneof:"classification regression"`
	Target   string  `yaml:"target" when:"source idx csv npy npz parquet" form:"column" default:"''"` // file, column or array of the targets
	Inputs   string  `yaml:"inputs" when:"source csv npz parquet" form:"column" default:"''"`         // columns or array of the inputs
	Header   string  `yaml:"header" when:"source csv" default:"auto" oneof:"auto present absent"`
	Shape    []int   `yaml:"shape" when:"source idx csv npy npz parquet" default:"[]" min:"1" max:"1000000000" example:"[1, 28, 28]" note:"[]: as the data has it"`
	Channels string  `yaml:"channels" when:"source idx npy npz" default:"first" oneof:"first last"`                        // of images of three dimensions
	Sigma    float64 `yaml:"sigma" when:"source two-moons spirals sinusoid linear" default:"0.1" min:"0" also:"noise_std"` // of the noise
	Arms     int     `yaml:"arms" when:"source spirals" default:"2" min:"2" max:"1000"`
	Features int     `yaml:"features" when:"source linear" default:"2" min:"1" max:"1000000"`
	HeldOut  HeldOut `yaml:"held_out" when:"source idx csv npy npz parquet"`
}

// Noise is what is done to the training samples on purpose.
type Noise struct {
	Labels float64 `yaml:"labels" default:"0" min:"0" max:"1"` // share of the samples that get another label
}

// HeldOut is where the queries are drawn from when they are not drawn from the rows that
// are left over. What is "" is as for the training samples; all of it: there is no such part.
type HeldOut struct {
	Path   string `yaml:"path" default:"''"`
	Target string `yaml:"target" form:"column" default:"''"`
	Inputs string `yaml:"inputs" form:"column" default:"''"`
}

// Network describes f(x;w): in the short forms mlp and cnn, or as a list of
// layers. The fields that the kind does not have are zero or their defaults.
type Network struct {
	Kind         string  `yaml:"kind" default:"mlp" oneof:"mlp cnn layers"`
	Hidden       []int   `yaml:"hidden" of:"mlp cnn" default:"[64, 64]" min:"1" max:"1000000"` // widths of the hidden dense layers
	Activation   string  `yaml:"activation" of:"mlp cnn" default:"tanh" oneof:"tanh relu sigmoid softplus gelu silu identity"`
	SoftplusBeta float64 `yaml:"softplus_beta" of:"mlp cnn" when:"activation softplus" default:"1" above:"0" also:"beta"` // softplus(βz)/β
	Convs        []Conv  `yaml:"convs" of:"mlp cnn" default:"[]" example:"[{filters: 8, kernel: 5}]"`                     // blocks before the dense layers, for kind cnn
	Layers       []Layer `yaml:"layers" of:"layers" default:"[]" example:"[{kind: flatten}, {kind: dense}]"`
	Bias         bool    `yaml:"bias" of:"mlp cnn" default:"true"`
	// Parameterization ntk divides what enters a dense layer or a convolution by √fan_in, for weights of deviation 1.
	Parameterization string `yaml:"parameterization" of:"mlp cnn" default:"standard" oneof:"standard ntk" also:"parametrization parameterisation"`
	Init             Init   `yaml:"init"`
}

// Layer is one layer of network.layers. The fields that its kind does not have
// are zero.
//
// The layers see samples as the data shape them: (channels, height, width) of
// images. A residual block is y = block(x) + shortcut(x), where Layers is the
// block and an empty Shortcut is x itself.
type Layer struct {
	Kind     string  `yaml:"kind" form:"layer" also:"type" oneof:"dense conv2d max-pool average-pool global-average-pool layer-norm scale residual flatten tanh relu sigmoid softplus gelu silu identity"`
	Units    int     `yaml:"units" of:"dense" default:"0" min:"0" max:"1000000" note:"0: the number of outputs of the data, for the last layer" also:"out_features features width size"`
	Filters  int     `yaml:"filters" of:"conv2d" min:"1" max:"1000000" also:"out_channels channels"`
	Kernel   int     `yaml:"kernel" of:"conv2d" min:"1" max:"1000000" also:"kernel_size"`
	Stride   int     `yaml:"stride" of:"conv2d" default:"1" min:"1" max:"1000000"`
	Padding  int     `yaml:"padding" of:"conv2d" default:"0" min:"0" max:"1000000"`
	Bias     bool    `yaml:"bias" of:"dense conv2d" default:"true" also:"use_bias"`
	Size     int     `yaml:"size" of:"max-pool average-pool" default:"2" min:"1" max:"1000000" also:"pool_size kernel_size kernel"`
	Epsilon  float64 `yaml:"epsilon" of:"layer-norm" default:"1e-5" above:"0" also:"eps"`
	Affine   bool    `yaml:"affine" of:"layer-norm" default:"true" also:"elementwise_affine"`
	Factor   float64 `yaml:"factor" of:"scale"`
	Layers   []Layer `yaml:"layers" of:"residual" also:"block"`
	Shortcut []Layer `yaml:"shortcut" of:"residual" default:"[]" example:"[{kind: conv2d, filters: 16, kernel: 1}]" also:"skip downsample"`
}

// Conv is one block of a convolutional network: convolution, activation, pooling.
type Conv struct {
	Filters  int    `yaml:"filters" min:"1" max:"1000000"`
	Kernel   int    `yaml:"kernel" min:"1" max:"1000000"`
	Stride   int    `yaml:"stride" default:"1" min:"1" max:"1000000"`
	Padding  int    `yaml:"padding" default:"0" min:"0" max:"1000000"`
	Pool     string `yaml:"pool" default:"none" oneof:"none max average"`
	PoolSize int    `yaml:"pool_size" default:"2" min:"1" max:"1000000"`
}

// Init says how weights are drawn; biases start at zero. With the scheme
// normal the standard deviation is Gain/√fan_in, with standard-normal Gain.
type Init struct {
	Scheme string  `yaml:"scheme" default:"glorot-normal" oneof:"glorot-normal glorot-uniform he-normal he-uniform normal standard-normal zeros"`
	Gain   float64 `yaml:"gain" default:"1" above:"0"`
}

// Loss is ℓ.
type Loss struct {
	Kind string `yaml:"kind" default:"cross-entropy" oneof:"cross-entropy squared-error logistic"`
}

// Training says how the weights move. A run is called diverged when its
// training loss exceeds LossLimit times its initial loss; 0 switches that off.
type Training struct {
	Steps       int         `yaml:"steps" default:"500" min:"1" max:"1000000000"`                                         // S
	BatchSize   int         `yaml:"batch_size" default:"0" min:"0" max:"1000000000" note:"0: every sample of data.train"` // B
	LossLimit   float64     `yaml:"loss_limit" default:"10000" min:"0" note:"0: no limit"`
	ClipNorm    float64     `yaml:"clip_norm" default:"0" min:"0" note:"0: gradients are not clipped"` // largest norm of the mean gradient
	Stop        Stop        `yaml:"stop"`
	Checkpoints Checkpoints `yaml:"checkpoints"`
	Optimizer   Optimizer   `yaml:"optimizer"`
	Schedule    Schedule    `yaml:"schedule"`
}

// Stop ends a run early, as completed, at the first step whose loss or norm of the mean
// gradient is at or below a value.
type Stop struct {
	Loss         float64 `yaml:"loss" default:"0" min:"0" note:"0: never"`
	GradientNorm float64 `yaml:"gradient_norm" default:"0" min:"0" note:"0: never"`
}

// Checkpoints says how far apart the checkpoints of the trajectory are, from which any
// step is replayed.
type Checkpoints struct {
	Every int    `yaml:"every" default:"0" min:"0" max:"1000000000" note:"0: as close as disk allows, but no more than thirty of them"` // steps
	Disk  string `yaml:"disk" default:"256MiB" form:"size"`
	// Save is how many seconds lie between two saves of what --resume goes on from.
	Save float64 `yaml:"save" default:"10" min:"0" note:"in seconds; 0: after every step"`
}

// Optimizer turns gradients into Δ_s, with the definitions of PyTorch; kind flow follows
// the gradient flow with Dormand and Prince's method instead. Weight decay enters the
// gradient, or, where Decoupled and for adamw, shrinks the weights.
type Optimizer struct {
	Kind         string  `yaml:"kind" default:"sgd" oneof:"sgd adam adamw rmsprop adagrad flow"`
	LearningRate float64 `yaml:"learning_rate" of:"sgd adam adamw rmsprop adagrad" default:"0.1" above:"0" also:"lr"`
	Momentum     float64 `yaml:"momentum" of:"sgd rmsprop" default:"0" min:"0" below:"1"`
	Dampening    float64 `yaml:"dampening" of:"sgd" default:"0" min:"0" max:"1"`
	Nesterov     bool    `yaml:"nesterov" of:"sgd" default:"false"`
	Beta1        float64 `yaml:"beta1" of:"adam adamw" default:"0.9" min:"0" below:"1"`
	Beta2        float64 `yaml:"beta2" of:"adam adamw" default:"0.999" min:"0" below:"1"`
	AMSGrad      bool    `yaml:"amsgrad" of:"adam adamw" default:"false"`
	Alpha        float64 `yaml:"alpha" of:"rmsprop" default:"0.99" min:"0" below:"1"`
	Centered     bool    `yaml:"centered" of:"rmsprop" default:"false"`
	Epsilon      float64 `yaml:"epsilon" of:"adam adamw rmsprop adagrad" default:"1e-8" above:"0" also:"eps"`
	WeightDecay  float64 `yaml:"weight_decay" of:"sgd adam adamw rmsprop adagrad" default:"0" min:"0"`
	Decoupled    bool    `yaml:"decoupled" of:"sgd adam rmsprop adagrad" default:"false"`

	InitialAccumulator float64 `yaml:"initial_accumulator" of:"adagrad" default:"0" min:"0"`
	LearningRateDecay  float64 `yaml:"learning_rate_decay" of:"adagrad" default:"0" min:"0" also:"lr_decay"`

	Time              float64 `yaml:"time" of:"flow" default:"0" min:"0" also:"duration"` // τ at the end of the path
	RelativeTolerance float64 `yaml:"relative_tolerance" of:"flow" default:"1e-6" above:"0" also:"rtol"`
	AbsoluteTolerance float64 `yaml:"absolute_tolerance" of:"flow" default:"1e-9" above:"0" also:"atol"`
	MaxStep           float64 `yaml:"max_step" of:"flow" default:"0" min:"0" note:"0: as long as the tolerances allow"`
	FixedStep         float64 `yaml:"fixed_step" of:"flow" default:"0" min:"0" note:"0: the length of steps follows the tolerances"`
}

// Schedule is η_s, with the definitions of PyTorch.
type Schedule struct {
	Kind           string  `yaml:"kind" default:"constant" oneof:"constant step exponential cosine linear-warmup one-cycle"`
	StepSize       int     `yaml:"step_size" of:"step" default:"0" min:"0" max:"1000000000"`
	Gamma          float64 `yaml:"gamma" of:"step exponential" default:"0.1" above:"0"`
	TMax           int     `yaml:"t_max" of:"cosine" default:"0" min:"0" max:"1000000000" note:"0: training.steps"`
	Minimum        float64 `yaml:"minimum" of:"cosine" default:"0" min:"0" also:"eta_min"`
	StartFactor    float64 `yaml:"start_factor" of:"linear-warmup" default:"0.3333333333333333" above:"0" max:"1"`
	TotalIters     int     `yaml:"total_iters" of:"linear-warmup" default:"5" min:"1" max:"1000000000"`
	PctStart       float64 `yaml:"pct_start" of:"one-cycle" default:"0.3" min:"0" max:"1"`
	DivFactor      float64 `yaml:"div_factor" of:"one-cycle" default:"25" above:"0"`
	FinalDivFactor float64 `yaml:"final_div_factor" of:"one-cycle" default:"10000" above:"0"`
}

// Machine is one kernel machine to build; see [Rules] for the rules of a family. Of
// the default ones those are built that account for the optimizer's steps.
type Machine struct {
	Name   string `yaml:"name" form:"folder"` // also its folder under arrays/
	Family string `yaml:"family" oneof:"exact flow"`
	Rule   string `yaml:"rule"`
	// Target is what of a query is accounted for: its outputs, its loss, or the logarithms of
	// its class probabilities.
	Target string `yaml:"target" default:"outputs" oneof:"outputs loss log-probability"`
	// Tolerance is the largest error of any output over the whole run, of which each step may
	// take its part, and MaxNodes the Jacobians that a query may take in a step to keep to it.
	Tolerance float64 `yaml:"tolerance" when:"rule adaptive" default:"1e-9" above:"0" also:"tol atol"`
	MaxNodes  int     `yaml:"max_nodes" when:"rule adaptive" default:"512" min:"9" max:"1000000"`
}
