/** What the activities of the engine `emr` ask for; loaded with the AWS SDK's EMR client. */
export { emrBatch, verifyOnHdfs } from './hdfs.ts';
export { explainStep, resultErrors } from './outcome.ts';
export { closeCluster, openCluster, watchCluster } from './run-cluster.ts';
export { cancelSteps, submitStep } from './steps.ts';
